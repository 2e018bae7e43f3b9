"""Claims: what the papers say, checked by what a notebook computed.

``data/claims/<paper>.yml`` lists the claims of a paper; a notebook states what it
measured with :func:`check`, which displays the verdict.  The verdict is a claim's
``on_pass`` where the expectation holds and `differs` where it does not.
"""

from __future__ import annotations

import difflib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from IPython.display import display

from econlib.book.expectations import check_expectation, describe, judge

__all__ = ["MIME", "VERDICTS", "Claim", "ClaimsError", "anchor", "check", "load"]

MIME = "application/vnd.econlib.claim+json"
VERDICTS = (
    "reproduced",
    "reproduced at book scale",
    "recorded",
    "illustrated",
    "differs",
    "open",
)
KINDS = (
    "figure",
    "table",
    "theorem",
    "proposition",
    "lemma",
    "definition",
    "algorithm",
    "conjecture",
    "headline",
    "text",
    "extension",
)
_SYMBOL = dict(zip(VERDICTS, "✓✓✓✓≠·", strict=True))
_REQUIRED = ("id", "kind", "statement", "source", "expect", "notebook", "on_pass")
_OPTIONAL = ("paper", "note")
_SCALES = {"paper": "reproduced", "book": "reproduced at book scale"}
_ROOT = Path(__file__).resolve().parents[2]


class ClaimsError(ValueError):
    """A claims file, a claim's id or a measurement that cannot be used."""


@dataclass(frozen=True)
class Claim:
    """One row of a claims file.

    Attributes
    ----------
    paper : str
        Folder name of the paper's chapter.
    id : str
        ASCII id, unique within the paper.
    kind : str
        One of ``KINDS``.
    statement, source : str
        What must be true, and how that is known.
    expect : Mapping
        An expectation, see :mod:`econlib.book.expectations`.
    notebook : str
        Stem of the notebook that checks it.
    on_pass : str
        Verdict where the expectation holds.
    value : str
        The paper's own value as text; "unknown" where it is.
    note : str
        Why a claim differs, or what to know about it.
    """

    paper: str
    id: str
    kind: str
    statement: str
    source: str
    expect: Mapping[str, Any]
    notebook: str
    on_pass: str
    value: str = "unknown"
    note: str = ""

    @property
    def key(self) -> str:
        """Id with the paper before it."""
        return f"{self.paper}/{self.id}"


def anchor(key: str) -> str:
    """Name of the HTML anchor of a check.

    Examples
    --------
    >>> anchor("data_markets/tab-bic/U-.50-2")
    'claim-data_markets-tab-bic-U-.50-2'
    """
    return "claim-" + key.replace("/", "-")


def load(paper: str, root: Path | None = None) -> dict[str, Claim]:
    """Read and validate the claims of one paper.

    Parameters
    ----------
    paper : str
        Folder name of the chapter.
    root : Path, optional
        Repository; by default the one that this package belongs to.

    Returns
    -------
    dict of str to Claim
        By id, in the file's order.

    Raises
    ------
    ClaimsError
        Naming file, id and field of the first fault.
    """
    folder = (root or _ROOT) / "data" / "claims"
    path = folder / f"{paper}.yml"
    if not path.exists():
        known = sorted(p.stem for p in folder.glob("*.yml"))
        raise ClaimsError(
            f"{paper!r} has no claims file. {_nearest(paper, known)}".rstrip()
        )
    where = f"data/claims/{path.name}"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        reason = " ".join(str(err).split())
        raise ClaimsError(f"{where}: not valid YAML: {reason}") from None
    if not isinstance(document, dict) or not isinstance(document.get("claims"), list):
        raise ClaimsError(f"{where}: expected a mapping with a list 'claims'")
    if document.get("paper") != paper:
        raise ClaimsError(f"{where}: paper = {document.get('paper')!r}, not {paper!r}")
    unknown = sorted(set(document) - {"paper", "title", "claims"})
    if unknown:
        raise ClaimsError(f"{where}: unknown field {unknown[0]!r}")
    claims: dict[str, Claim] = {}
    for number, row in enumerate(document["claims"], 1):
        claim = _claim(row, paper, f"{where}: claim {number}")
        if claim.id in claims:
            raise ClaimsError(f"{where}: {claim.id}: id stands twice")
        claims[claim.id] = claim
    return claims


def _claim(row: object, paper: str, where: str) -> Claim:
    if not isinstance(row, dict):
        raise ClaimsError(f"{where}: expected a mapping, got {row!r}")
    name = row.get("id")
    if not isinstance(name, str) or not name or not name.isascii() or " " in name:
        raise ClaimsError(f"{where}: id = {name!r}: expected ASCII without spaces")
    where = f"{where.split(':')[0]}: {name}"
    for field in _REQUIRED:
        if row.get(field) in (None, ""):
            raise ClaimsError(f"{where}: {field}: missing")
    for field, value in row.items():
        if field not in _REQUIRED + _OPTIONAL:
            hint = _nearest(str(field), _REQUIRED + _OPTIONAL)
            raise ClaimsError(f"{where}: {field}: unknown field. {hint}".rstrip())
        if field != "expect" and not isinstance(value, str):
            raise ClaimsError(f"{where}: {field} = {value!r}: expected text")
    if row["kind"] not in KINDS:
        raise ClaimsError(f"{where}: kind = {row['kind']!r}: one of {', '.join(KINDS)}")
    if row["on_pass"] not in VERDICTS[:4]:
        raise ClaimsError(
            f"{where}: on_pass = {row['on_pass']!r}: one of {', '.join(VERDICTS[:4])}"
        )
    fault = check_expectation(row["expect"])
    if fault:
        raise ClaimsError(f"{where}: expect: {fault}")
    rest = {k: v for k, v in row.items() if k != "paper"}
    return Claim(paper=paper, value=row.get("paper", "unknown"), **rest)


@lru_cache(maxsize=32)
def _cached(paper: str, stamp: float) -> dict[str, Claim]:
    return load(paper)


def find(key: str) -> Claim:
    """Look a claim up by ``"<paper>/<id>"``.

    Raises
    ------
    ClaimsError
        No such paper or id; the nearest is named.
    """
    paper, _, name = key.partition("/")
    path = _ROOT / "data" / "claims" / f"{paper}.yml"
    claims = _cached(paper, path.stat().st_mtime if path.exists() else 0.0)
    if name not in claims:
        hint = _nearest(name, list(claims))
        raise ClaimsError(f"{key!r}: no such claim. {hint}".rstrip())
    return claims[name]


def check(key: str, measured: Any, scale: str | None = None) -> None:
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
        "text/html": _block(claim, record["verdict"], shown, record["expected"]),
        MIME: record,
    }
    display(bundle, raw=True)


def format_measured(measured: Any) -> str:
    """Show a measurement in at most four significant digits.

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
    return f"{measured:.4g}"


def _block(claim: Claim, verdict: str, shown: str, expected: str) -> str:
    """HTML of a verdict; currentColor keeps it readable in light and dark mode."""
    rows = [
        ("expected", expected),
        ("measured", shown),
        ("the paper", claim.value),
    ]
    if verdict == "differs" and claim.note:
        rows.append(("why", claim.note))
    cells = "".join(
        f'<dt style="opacity:.85">{name}</dt>'
        f'<dd style="margin:0;overflow-wrap:anywhere">{html.escape(text)}</dd>'
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


def _nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else ""
