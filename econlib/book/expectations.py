r"""Expectations: what a claim says must be measured, and whether it is.

Every expectation is one line of a claims file, one of

====================================  ==================================================
``{value: x, atol: e}``               a number within ``e`` of ``x`` (or ``rtol``)
``{at_least: x}``                     a number, not below ``x``
``{at_most: x}``                      a number, not above ``x``
``{between: [a, b]}``                 a number in ``[a, b]``
``{property: "text"}``                a truth value: what the text says holds
``{increasing: [p, q], margin: m}``   numbers by name, each ``m`` or more above the last
``{match: [ours, truth], atol: e}``   two numbers by name, within ``e`` (or ``rtol``)
``{table: {p: x}, atol: e}``          numbers by name, each within ``e`` of its value
``{parts: {p: expectation}}``         measurements by name, each as its part says
====================================  ==================================================
"""

from __future__ import annotations

import itertools
import math
import numbers
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Outcome", "check_expectation", "describe", "judge"]

_KINDS = (
    "value",
    "at_least",
    "at_most",
    "between",
    "property",
    "increasing",
    "match",
    "table",
    "parts",
)
_TOLERANT = ("value", "match", "table")


@dataclass(frozen=True)
class Outcome:
    """What came of judging one measurement.

    Attributes
    ----------
    holds : bool
        Whether the expectation is met.
    measured : float, bool or dict
        The measurement as plain Python numbers.
    missed : tuple of str
        Names of the parts, or of the entries of a table, that do not hold.
    """

    holds: bool
    measured: Any
    missed: tuple[str, ...] = ()


def _kind(expect: Mapping) -> str:
    return next(k for k in _KINDS if k in expect)


def check_expectation(expect: object) -> str | None:
    """Say what is wrong with the form of an expectation.

    Parameters
    ----------
    expect : object
        An entry ``expect`` of a claims file.

    Returns
    -------
    str or None
        One clause naming the fault, or None where the form is right.
    """
    if not isinstance(expect, Mapping):
        return f"expected a mapping with one of {', '.join(_KINDS)}, got {expect!r}"
    kinds = [k for k in _KINDS if k in expect]
    if len(kinds) != 1:
        return f"expected exactly one of {', '.join(_KINDS)}, got {_listed(expect)}"
    kind, body = kinds[0], expect[kinds[0]]
    allowed = {kind}
    if kind in _TOLERANT:
        allowed |= {"atol", "rtol"}
        given = [k for k in ("atol", "rtol") if k in expect]
        if len(given) != 1:
            return f"{kind} needs one tolerance, atol or rtol"
        if not _is_number(expect[given[0]]) or not 0 <= expect[given[0]] < math.inf:
            return _not_a_number(given[0], expect[given[0]], "a number, 0 or more")
    if kind == "increasing":
        allowed |= {"margin"}
        margin = expect.get("margin", 0.0)
        if not _is_number(margin) or margin < 0:
            return _not_a_number("margin", margin, "a number, 0 or more")
    unknown = [k for k in expect if k not in allowed]
    if unknown:
        return f"unknown key {unknown[0]!r} beside {kind}"
    return _check_body(kind, body)


def _check_body(kind: str, body: object) -> str | None:
    if kind in ("value", "at_least", "at_most") and not _is_number(body):
        return _not_a_number(kind, body, "a finite number")
    if kind == "between" and not (
        isinstance(body, list)
        and len(body) == 2
        and all(map(_is_number, body))
        and body[0] <= body[1]
    ):
        return f"between = {body!r}: expected [low, high]"
    if kind == "property" and not (isinstance(body, str) and body.strip()):
        return f"property = {body!r}: expected a sentence"
    if kind in ("increasing", "match"):
        names = body if isinstance(body, list) else []
        few = len(names) < 2 or (kind == "match" and len(names) != 2)
        if few or not all(isinstance(n, str) for n in names):
            return f"{kind} = {body!r}: expected a list of names"
        if len(set(names)) != len(names):
            return f"{kind} = {body!r}: a name stands twice"
    if kind in ("table", "parts"):
        what = "numbers" if kind == "table" else "expectations"
        if not isinstance(body, Mapping) or not body:
            return f"{kind} = {body!r}: expected {what} by name"
        unnamed = [name for name in body if not isinstance(name, str)]
        if unnamed:
            return f"{kind}: name = {unnamed[0]!r}: expected text; quote it"
    if kind == "table":
        for name, x in body.items():
            if not _is_number(x):
                return _not_a_number(f"table.{name}", x, "a finite number")
    if kind == "parts":
        for name, part in body.items():
            if isinstance(part, Mapping) and "parts" in part:
                return f"parts.{name}: parts do not nest"
            fault = check_expectation(part)
            if fault:
                return f"parts.{name}: {fault}"
    return None


def judge(expect: Mapping, measured: object) -> Outcome:
    """Judge a measurement by an expectation of valid form.

    Parameters
    ----------
    expect : Mapping
        As :func:`check_expectation` accepts.
    measured : float, bool or Mapping
        A number or truth value (scalars of numpy and torch count), or a mapping of
        names to them where the expectation names several.

    Returns
    -------
    Outcome
        Whether it holds, and the measurement as plain numbers.

    Raises
    ------
    ValueError
        The measurement is missing, not finite, or not of the shape expected.
    """
    kind, body = _kind(expect), expect[_kind(expect)]
    if kind == "property":
        flag = _scalar(measured)
        if not isinstance(flag, bool):
            raise ValueError(f"measured = {_short(measured)}: expected True or False")
        return Outcome(flag, flag)
    if kind == "parts":
        named = _named(measured, list(body))
        outcomes = {}
        for name, part in body.items():
            try:
                outcomes[name] = judge(part, named[name])
            except ValueError as err:
                raise ValueError(f"part {name!r}: {err}") from None
        missed = tuple(n for n, o in outcomes.items() if not o.holds)
        plain = {n: o.measured for n, o in outcomes.items()}
        return Outcome(not missed, plain, missed)
    if kind in ("increasing", "match", "table"):
        named = _named(measured, list(body))
        found = {n: _number(named[n], n) for n in body}
        if kind != "table":
            return Outcome(_holds_named(kind, body, expect, found), found)
        missed = tuple(n for n in body if not _close(found[n], float(body[n]), expect))
        return Outcome(not missed, found, missed)
    x = _number(measured, "measured")
    holds = {
        "value": lambda: _close(x, float(body), expect),
        "at_least": lambda: x >= body,
        "at_most": lambda: x <= body,
        "between": lambda: body[0] <= x <= body[1],
    }[kind]()
    return Outcome(bool(holds), x)


def _holds_named(kind: str, body: Any, expect: Mapping, x: dict[str, float]) -> bool:
    if kind == "increasing":
        margin = expect.get("margin", 0.0)
        steps = [x[q] - x[p] for p, q in itertools.pairwise(body)]
        return all(s >= margin and s > 0 for s in steps)
    return _close(x[body[0]], x[body[1]], expect)


def describe(expect: Mapping) -> str:
    """Put an expectation in words, for tables and verdicts.

    Examples
    --------
    >>> describe({"value": 0.125, "atol": 1e-4})
    '0.125 ± 0.0001'
    >>> describe({"match": ["learned", "exact"], "rtol": 0.005})
    'learned = exact, to 0.5 %'
    >>> describe({"increasing": ["separate", "bundled"]})
    'separate < bundled'
    """
    kind, body = _kind(expect), expect[_kind(expect)]
    tolerance = f"{expect['rtol']:.3g}" if "rtol" in expect else ""
    if kind == "parts":
        return "; ".join(f"{name}: {describe(part)}" for name, part in body.items())
    if kind == "property":
        return str(body)
    if kind == "increasing":
        by = f", by {expect['margin']:g} or more" if expect.get("margin") else ""
        return " < ".join(body) + by
    percent = f"{100 * expect['rtol']:.3g} %" if tolerance else ""
    within = percent or f"{expect.get('atol', 0):g}"
    if kind == "match":
        return f"{body[0]} = {body[1]}, to {within}"
    if kind == "table":
        rows = ", ".join(f"{name} {value:g}" for name, value in body.items())
        return f"{rows}; each ± {within}"
    if kind == "between":
        return f"{body[0]:g} to {body[1]:g}"
    sign = {"value": "", "at_least": "≥ ", "at_most": "≤ "}[kind]
    return f"{sign}{body:g}" + (f" ± {within}" if kind == "value" else "")


def _close(x: float, truth: float, expect: Mapping) -> bool:
    allowed = expect["atol"] if "atol" in expect else expect["rtol"] * abs(truth)
    return abs(x - truth) <= allowed


def _not_a_number(name: str, x: object, rule: str) -> str:
    hint = ""
    if isinstance(x, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", x):
        hint = "; YAML reads 1.0e-4 as a number, 1e-4 as text"
    return f"{name} = {x!r}: expected {rule}{hint}"


def _listed(expect: Mapping) -> str:
    return ", ".join(map(str, expect)) or "nothing"


def _is_number(x: object) -> bool:
    return isinstance(x, numbers.Real) and not isinstance(x, bool) and math.isfinite(x)


def _scalar(x: object) -> object:
    """Turn a scalar of numpy or torch into Python's."""
    item = getattr(x, "item", None)
    if item is not None and getattr(x, "shape", ()) == ():
        return item()
    return x


def _short(x: object) -> str:
    """Show a value that was not expected on one line of modest length."""
    return " ".join(reprlib.repr(x).split())


def _number(x: object, name: str) -> float:
    x = _scalar(x)
    if isinstance(x, bool) or not isinstance(x, numbers.Real):
        raise ValueError(f"{name} = {_short(x)}: expected a number")
    if not math.isfinite(x):
        raise ValueError(f"{name} = {x!r}: expected a finite number")
    return float(x)


def _named(measured: object, names: list[str]) -> Mapping:
    if not isinstance(measured, Mapping):
        raise ValueError(
            f"measured = {_short(measured)}: expected a mapping with {', '.join(names)}"
        )
    missing = [n for n in names if n not in measured]
    extra = [n for n in measured if n not in names]
    if missing or extra:
        clauses = [f"lacks {n!r}" for n in missing] + [f"has {n!r} too" for n in extra]
        raise ValueError(f"measured {', '.join(clauses)}: expected {', '.join(names)}")
    return measured
