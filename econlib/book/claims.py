"""Claims: what the papers say, checked by what a notebook computed.

``data/claims/<paper>.yml`` lists the claims of a paper; a notebook states what it
measured with :func:`check`, which displays the verdict.  The verdict is a claim's
``on_pass`` where the expectation holds and `differs` where it does not.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from IPython.display import display

from econlib.book.expectations import describe, judge
from econlib.book.schema import (
    KINDS,
    VERDICTS,
    Claim,
    ClaimsError,
    anchor,
    find,
    load,
)

__all__ = [
    "KINDS",
    "MIME",
    "VERDICTS",
    "Claim",
    "ClaimsError",
    "anchor",
    "check",
    "find",
    "format_measured",
    "load",
]

MIME = "application/vnd.econlib.claim+json"
_SYMBOL = dict(zip(VERDICTS, "✓✓✓✓≠·", strict=True))
_SCALES = {"paper": "reproduced", "book": "reproduced at book scale"}


def check(key: str, measured: Any = None, scale: str | None = None) -> None:
    """Judge what was measured by a claim's expectation, and display the verdict.

    Parameters
    ----------
    key : str
        ``"<paper>/<id>"``.
    measured : float, bool or Mapping
        What the cells above computed, in the shape that the expectation names.
    scale : {"paper", "book"}, optional
        The scale this run had, where that depends on a parameter: it decides between
        `reproduced` and `reproduced at book scale`.

    Raises
    ------
    ClaimsError
        Unknown claim or scale, or a measurement that is missing, not finite or of
        another shape; the message names claim and field.
    """
    claim = find(key)
    if measured is None:
        raise ClaimsError(f"{key}: measured is missing: {describe(claim.expect)}")
    verdict = claim.on_pass
    if scale is not None:
        if scale not in _SCALES:
            raise ClaimsError(f"{key}: scale = {scale!r}: expected 'paper' or 'book'")
        if verdict in _SCALES.values():
            verdict = _SCALES[scale]
    try:
        outcome = judge(claim.expect, measured)
    except ValueError as err:
        raise ClaimsError(f"{key}: {err}") from None
    record = {
        "id": key,
        "paper": claim.paper,
        "kind": claim.kind,
        "verdict": verdict if outcome.holds else "differs",
        "measured": outcome.measured,
        "expected": describe(claim.expect),
    }
    shown = format_measured(outcome.measured)
    bundle = {
        "text/plain": f"{record['verdict']}: {key}, measured {shown}, "
        f"expected {record['expected']}",
        "text/html": _block(claim, record, shown, outcome.missed),
        MIME: record,
    }
    display(bundle, raw=True)


def format_measured(measured: Any) -> str:
    """Show a measurement in at most six significant digits.

    Examples
    --------
    >>> format_measured({"bid": 0.25, "converged": True})
    'bid 0.25, converged yes'
    """
    if isinstance(measured, Mapping):
        parts = []
        for name, x in measured.items():
            inner = format_measured(x)
            parts.append(
                f"{name} ({inner})" if isinstance(x, dict) else f"{name} {inner}"
            )
        return ", ".join(parts)
    if isinstance(measured, bool):
        return "yes" if measured else "no"
    return f"{measured:.6g}"


def _block(claim: Claim, record: dict, shown: str, missed: tuple[str, ...]) -> str:
    """HTML of a verdict; currentColor keeps it readable in light and dark mode."""
    verdict = record["verdict"]
    rows = [
        ("expected", record["expected"]),
        ("measured", shown),
        ("the paper", claim.value),
    ]
    if missed:
        rows.append(("not met", ", ".join(missed)))
    if verdict == "differs" and claim.note:
        rows.append(("why", claim.note))
    cells = "".join(
        f'<dt style="opacity:.85">{name}</dt>'
        f'<dd class="{name.split()[-1]}" style="margin:0;overflow-wrap:anywhere">'
        f"{html.escape(text)}</dd>"
        for name, text in rows
    )
    return (
        f'<div class="claim" id="{html.escape(anchor(claim.key))}" '
        'style="border-left:4px solid currentColor;padding:.2em .8em;margin:.4em 0">'
        f"<strong>{_SYMBOL[verdict]} {verdict}</strong> "
        f"<code>{html.escape(claim.id)}</code> {html.escape(claim.statement)}"
        '<dl style="display:grid;grid-template-columns:max-content 1fr;'
        f'gap:0 .8em;margin:.2em 0">{cells}</dl></div>'
    )
