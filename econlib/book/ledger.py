"""The ledger's rules: what must hold between claims, notebooks and their outputs.

``python -m econlib.book.ledger`` prints each fault of the repository on a line, and
``tests/book/test_ledger.py`` asserts that there is none:

- each claim has exactly one check in the notebooks' sources and one among their
  outputs, both in the notebook that the claim names; each check has a claim;
- an executed check says what today's claims file makes of its measurement, and the
  claim's row says why where that differs;
- a check is made in a cell tagged ``nbval-check-output``, and ``measured`` is computed;
- notebooks declare and validate their parameters, are executed from the first cell to
  the last, and hold no error, warning, standard error or path of a machine;
- a figure has caption, name and alternative text, is cited, and stays small.
"""

from __future__ import annotations

import ast
import base64
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from econlib.book import results
from econlib.book.claims import MIME
from econlib.book.expectations import describe, judge
from econlib.book.parameters import ParameterError, parse
from econlib.book.runs import ROOT, notebooks, read
from econlib.book.schema import Claim, load, papers

__all__ = ["CHECKED", "MAX_PNG_BYTES", "faults"]

CHECKED = "nbval-check-output"
MAX_PNG_BYTES = 60 * 1024
_MASKED = {MIME, results.MIME}
_SCALED = ("reproduced", "reproduced at book scale")
_DIRT = {
    "a warning": re.compile(r"\w*Warning\b(?!s)"),
    "a traceback": re.compile(r"Traceback \(most recent"),
    "an absolute path": re.compile(
        r"(?<![\w.:/<])/(?:home|root|tmp|work|usr|opt|var|mnt|Users)/|\b[A-Z]:\\\w"
    ),
    "an undrawn figure": re.compile(r"<Figure size"),
}


def faults(root: Path = ROOT) -> list[str]:
    """List what is wrong with claims files and executed notebooks.

    Parameters
    ----------
    root : Path
        Folder that holds ``chapters`` and ``data/claims``.

    Returns
    -------
    list of str
        One line a fault, naming notebook or claim; empty where all rules hold.

    Raises
    ------
    ClaimsError, RunError
        A claims file or a notebook that cannot be read at all.
    """
    claims = {c.key: c for paper in papers(root) for c in load(paper, root).values()}
    found: list[str] = []
    written: dict[str, list[str]] = {}
    executed: dict[str, list[str]] = {}
    figures: dict[str, str] = {}
    for path in notebooks(root):
        name = path.relative_to(root).as_posix()
        cells = read(path).cells
        text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
        code = [c for c in cells if c.cell_type == "code"]
        found += [f"{name}: {fault}" for fault in _parameters(code)]
        for cell in code:
            where = f"{name}: cell {cell.get('id', '?')}"
            calls = list(_calls(cell.source, "claims.check"))
            found += [f"{where}: {f}" for f in _checks(cell, calls)]
            found += [f"{where}: {f}" for f in _dirt(cell)]
            found += [f"{where}: {f}" for f in _figure(cell, text, figures, where)]
            for call in calls:
                written.setdefault(_key(call), []).append(name)
            for record in _records(cell):
                executed.setdefault(record["id"], []).append(name)
                if record["id"] in claims:
                    stale = _stale(record, claims[record["id"]])
                    found += [f"{where}: {stale}"] if stale else []
        counts = [c.execution_count for c in code]
        if counts != list(range(1, len(code) + 1)):
            found.append(f"{name}: execution counts {counts}: not 1 to {len(code)}")
        if any("papermill" in c.metadata for c in cells):
            found.append(f"{name}: papermill's metadata is left in")
    return found + _ledger(claims, written, executed)


def _ledger(
    claims: dict[str, Claim],
    written: dict[str, list[str]],
    executed: dict[str, list[str]],
) -> list[str]:
    """Compare claims with checks, as written and as executed."""
    found = []
    for how, made in (("in the sources", written), ("executed", executed)):
        for key, claim in claims.items():
            home = f"chapters/{claim.paper}/{claim.notebook}.ipynb"
            where = made.get(key, [])
            if where != [home]:
                places = ", ".join(where) or "none"
                found.append(f"{key}: checks {how}: {places}; expected one in {home}")
        for key in made.keys() - claims.keys():
            found.append(f"{made[key][0]}: checks {key}, which no claims file has")
    return found


def _stale(record: dict[str, Any], claim: Claim) -> str | None:
    """Say whether the claims file was changed after the check was executed."""
    right = {claim.on_pass, *(_SCALED if claim.on_pass in _SCALED else ())}
    try:
        holds = judge(claim.expect, record["measured"]).holds
    except ValueError as err:
        return f"{claim.key}: {err}: execute the notebook again"
    if record["verdict"] not in (right if holds else {"differs"}):
        return (
            f"{claim.key}: says {record['verdict']!r}, but the claims file says "
            f"{claim.on_pass if holds else 'differs'!r}: execute the notebook again"
        )
    if not holds and not claim.note:
        return f"{claim.key}: differs, and its row has no note that says why"
    if record["expected"] != describe(claim.expect):
        return f"{claim.key}: expectation changed: execute the notebook again"
    return None


def _parameters(code: list) -> Iterator[str]:
    tagged = [i for i, c in enumerate(code) if "parameters" in _tags(c)]
    if len(tagged) != 1:
        yield f"{len(tagged)} cells tagged 'parameters': expected one"
        return
    try:
        parse(code[tagged[0]].source)
    except ParameterError as err:
        yield str(err)
    after = "\n".join(c.source for c in code[tagged[0] + 1 : tagged[0] + 2])
    if not list(_calls(after, "parameters.validate")):
        yield "the code cell after the parameters does not call parameters.validate()"


def _checks(cell: Any, calls: list[ast.Call]) -> Iterator[str]:
    tagged = CHECKED in _tags(cell)
    if calls and not tagged:
        yield f"checks a claim without the tag {CHECKED}"
    if tagged and not calls:
        yield f"is tagged {CHECKED} without checking a claim"
    if tagged and any(_data(o).keys().isdisjoint(_MASKED) for o in cell.outputs):
        yield "displays more than checks and results, which nbval would compare"
    for call in calls:
        if _key(call) == "?":
            yield "claims.check: the id is not written out"
        given = [k.value for k in call.keywords if k.arg == "measured"] + call.args[1:2]
        if given and not any(isinstance(n, ast.Name) for n in ast.walk(given[0])):
            yield f"{_key(call)}: measured is not computed"


def _dirt(cell: Any) -> Iterator[str]:
    for output in cell.outputs:
        if output.output_type == "error":
            yield f"failed with {output.ename}"
            continue
        if output.get("name") == "stderr":
            yield "writes to standard error"
        data = output.get("data", {})
        shown = [output.get("text", ""), data.get("text/plain", "")]
        for what, pattern in _DIRT.items():
            if any(pattern.search(text) for text in shown):
                if what == "an undrawn figure" and "image/png" in data:
                    continue
                yield f"shows {what}"


def _figure(cell: Any, text: str, figures: dict[str, str], where: str) -> Iterator[str]:
    images = [o.data["image/png"] for o in cell.outputs if "image/png" in _data(o)]
    if not images:
        return
    mystnb = cell.metadata.get("mystnb", {})
    figure, image = mystnb.get("figure", {}), mystnb.get("image", {})
    name = figure.get("name")
    for field, value in (
        ("caption", figure.get("caption")),
        ("name", name),
        ("alt", image.get("alt")),
    ):
        if not (isinstance(value, str) and value.strip()):
            yield f"figure without {field}"
    if name in figures:
        yield f"figure name {name} stands in {figures[name]} too"
    elif name:
        figures[name] = where
        if not re.search(rf"{{numref}}`(?:[^`]*<)?{re.escape(name)}>?`", text):
            yield f"figure {name} is never cited with numref"
    if len(images) > 1:
        yield f"{len(images)} figures under one caption"
    for png in images:
        size = len(base64.b64decode(png))
        if size > MAX_PNG_BYTES:
            yield f"figure of {size // 1024} KB: expected at most 60"


def _calls(source: str, name: str) -> Iterator[ast.Call]:
    """Calls of a dotted name in a cell; a cell with magics has none."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
            yield node


def _key(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return str(first.value) if isinstance(first, ast.Constant) else "?"


def _records(cell: Any) -> list[dict[str, Any]]:
    return [o.data[MIME] for o in cell.outputs if MIME in _data(o)]


def _data(output: Any) -> dict[str, Any]:
    return output.get("data", {})


def _tags(cell: Any) -> list[str]:
    return cell.metadata.get("tags", [])


if __name__ == "__main__":
    listed = faults()
    print("\n".join(listed) or "the ledger is in order")
    sys.exit(bool(listed))
