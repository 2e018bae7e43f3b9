"""Parameters of a notebook: their types and ranges, read from its own cell.

The cell tagged ``parameters`` holds lines ``name: type = default  # meaning; range``.
The range, at the end of the comment, is what a reader sees and what is enforced:

==============================  ================================================
``[1, 4096]``, ``[0, 1)``       a number in the interval
``{uniform, beta}``             one of the words (or numbers)
``[0, 1] x [0, 1]``             a list of two numbers, each in its interval
``1 to 50 of [0, 1)``           a list of 1 to 50 numbers
``1 to 8 of [0, 1] x [0, 1)``   a list of 1 to 8 such pairs
==============================  ================================================

A ``bool`` needs no range.  The command line checks before a kernel starts; inside a
notebook :func:`validate` checks again, for those who call papermill directly.
"""

from __future__ import annotations

import ast
import difflib
import io
import math
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Parameter", "ParameterError", "check", "parse", "validate"]

_TYPES = {"int": int, "float": float, "str": str, "bool": bool, "list": list}
_NUMBER = r"[-+]?(?:\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|inf)"
_INTERVAL = rf"[\[(]\s*{_NUMBER}\s*,\s*{_NUMBER}\s*[\])]"
_CHOICES = r"\{[^{}]+\}"
_ATOM = rf"(?:{_INTERVAL}|{_CHOICES})"
_RANGE = re.compile(
    rf"(?:(?P<least>\d+) to (?P<most>\d+) of )?(?P<atoms>{_ATOM}(?: x {_ATOM})*)\s*$"
)


class ParameterError(ValueError):
    """Parameters that a notebook declares or is given, and that cannot be used."""


@dataclass(frozen=True)
class Parameter:
    """One declared parameter.

    Attributes
    ----------
    name, kind : str
        Name, and ``int``, ``float``, ``str``, ``bool`` or ``list``.
    default : object
        Value where none is given.
    meaning : str
        The comment before the range.
    range : str
        The range as written; empty for a ``bool``.
    """

    name: str
    kind: str
    default: Any
    meaning: str
    range: str

    def fault(self, value: object) -> str | None:
        """One line on what is wrong with ``value``, or None."""
        rule = self._broken_rule(value)
        if rule is None:
            return None
        return (
            f"{self.name} = {value!r}: expected {rule}. "
            f"Try -p {self.name} {_as_argument(self.default)}"
        )

    def _broken_rule(self, value: object) -> str | None:
        named = {"int": "an integer", "float": "a number", "str": "one"}
        article = named.get(self.kind, "a list")
        if self.kind == "bool":
            return None if isinstance(value, bool) else "True or False"
        match = _RANGE.search(self.range)
        atoms = re.findall(_ATOM, match["atoms"])
        if self.kind != "list":
            within = f" of {self.range}" if self.kind == "str" else f" in {self.range}"
            return None if _fits(value, atoms[0], self.kind) else article + within
        rule = f"a list, {self.range}"
        if not isinstance(value, list | tuple):
            return rule
        if match["least"] is None:
            return None if _fits_row(value, atoms) else rule
        if not int(match["least"]) <= len(value) <= int(match["most"]):
            return rule
        for row in value:
            ok = _fits(row, atoms[0], "") if len(atoms) == 1 else _fits_row(row, atoms)
            if not ok:
                return rule
        return None


def _fits_row(row: object, atoms: list[str]) -> bool:
    return (
        isinstance(row, list | tuple)
        and len(row) == len(atoms)
        and all(_fits(x, atom, "") for x, atom in zip(row, atoms, strict=True))
    )


def _fits(value: object, atom: str, kind: str) -> bool:
    """Whether one value lies in one interval or is one of the choices."""
    if atom.startswith("{"):
        choices = [c.strip() for c in atom[1:-1].split(",")]
        return not isinstance(value, bool) and str(value) in choices
    whole = kind == "int"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    low, high = (float(x) for x in re.findall(_NUMBER, atom))
    above = value >= low if atom[0] == "[" else value > low
    below = value <= high if atom[-1] == "]" else value < high
    return math.isfinite(value) and above and below


def parse(source: str, where: str = "parameters cell") -> dict[str, Parameter]:
    """Read a parameters cell.

    Parameters
    ----------
    source : str
        The cell's code.
    where : str
        What to call it in an error.

    Returns
    -------
    dict of str to Parameter
        By name, in the cell's order.

    Raises
    ------
    ParameterError
        A line that is not ``name: type = default  # meaning; range``, or a default
        outside its own range.

    Examples
    --------
    >>> parse("lam: float = 0.5  # belief weight; [0, 1)")["lam"].range
    '[0, 1)'
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as err:
        raise ParameterError(f"{where}: line {err.lineno}: not valid Python") from None
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found: dict[str, Parameter] = {}
    for node in tree.body:
        line = f"{where}: line {node.lineno}"
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            raise ParameterError(
                f"{line}: expected `name: type = default  # meaning; range`"
            )
        name, kind = node.target.id, ast.unparse(node.annotation)
        if kind not in _TYPES:
            raise ParameterError(
                f"{line}: {name}: type {kind}, not {', '.join(_TYPES)}"
            )
        try:
            default = ast.literal_eval(node.value)
        except (ValueError, TypeError):
            raise ParameterError(f"{line}: {name}: default is not a literal") from None
        comment = comments.get(node.end_lineno, "")
        match = _RANGE.search(comment)
        if not comment or (match is None and kind != "bool"):
            raise ParameterError(
                f"{line}: {name}: no range at the end of its comment, such as [1, 10]"
            )
        cut = match.start() if match and kind != "bool" else len(comment)
        written = comment[cut:].strip()
        meaning = comment[:cut].rstrip(" ;,")
        found[name] = Parameter(name, kind, default, meaning, written)
        if kind == "list" and " to " not in written and " x " not in written:
            raise ParameterError(
                f"{line}: {name}: a list's range needs `1 to n of` or x"
            )
        fault = found[name].fault(default)
        if fault:
            raise ParameterError(f"{line}: default {fault}")
    if not found:
        raise ParameterError(f"{where}: declares no parameter")
    return found


def check(declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> None:
    """Check values by what a notebook declares.

    Raises
    ------
    ParameterError
        One line for each unknown name and each value of wrong type or out of range.
    """
    faults = []
    for name, value in given.items():
        if name in declared:
            faults.append(declared[name].fault(value))
        else:
            close = difflib.get_close_matches(name, declared, n=1)
            hint = f"Did you mean {close[0]}?" if close else ""
            known = f"expected one of {', '.join(declared)}"
            faults.append(f"{name}: no such parameter: {known}. {hint}".rstrip())
    faults = [f for f in faults if f]
    if faults:
        raise ParameterError("\n".join(faults))


def validate(*relations: tuple[bool, str]) -> None:
    """Check a running notebook's parameters; call it in the first cell after them.

    Reads the parameters cell, and the cell that papermill injected, from the kernel's
    own input history.

    Parameters
    ----------
    *relations : (bool, str)
        Further conditions, each with what to say where it does not hold: name, value
        and rule.

    Raises
    ------
    ParameterError
        All that is wrong, one line each.
    RuntimeError
        Not called in an IPython kernel, or no parameters cell was run before.
    """
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        raise RuntimeError("parameters.validate() works inside a notebook only")
    history = [str(cell) for cell in shell.user_ns.get("In", [])]
    declared: dict[str, Parameter] | None = None
    reason = ""
    injected: list[str] = []
    for cell in history:
        if cell.lstrip().startswith("# Parameters"):
            injected += re.findall(r"^(\w+) = ", cell, flags=re.MULTILINE)
            continue
        if not re.match(r"(?:\s*#.*\n)*\s*\w+\s*:\s*\w+\s*=", cell):
            continue
        try:
            declared = parse(cell)
        except ParameterError as err:
            reason = f": {err}"
    if declared is None:
        raise RuntimeError(f"no parameters cell was run before this one{reason}")
    values = {name: shell.user_ns[name] for name in declared}
    values |= {name: shell.user_ns[name] for name in injected}
    faults = [message for holds, message in relations if not holds]
    try:
        check(declared, values)
    except ParameterError as err:
        faults = [str(err), *faults]
    if faults:
        raise ParameterError("\n".join(faults))


def _as_argument(value: object) -> str:
    text = str(value)
    return f"'{text}'" if " " in text or text.startswith("[") else text
