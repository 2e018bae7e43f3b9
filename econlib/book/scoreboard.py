"""The scoreboard: every claim beside its verdict, from executed notebooks only.

A row joins a claim of ``data/claims`` with the check that a notebook's outputs hold; a
claim that no output checks is `open`, whatever the sources say.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import yaml

from econlib.book.claims import MIME, format_measured
from econlib.book.expectations import describe
from econlib.book.runs import ROOT, notebooks, read
from econlib.book.schema import VERDICTS, ClaimsError, anchor, load, papers

__all__ = [
    "Row",
    "checks",
    "collect",
    "compare",
    "frame",
    "markdown_totals",
    "render_terminal",
    "titles",
    "totals",
    "write_readme",
]

_START, _END = "<!-- scoreboard -->", "<!-- /scoreboard -->"


@dataclass(frozen=True)
class Row:
    """One claim on the scoreboard.

    Attributes
    ----------
    paper, claim, kind, statement : str
        As in the claims file.
    value : str
        The paper's own value.
    expected, measured : str
        What had to hold, and what the notebook measured (empty while open).
    verdict : str
        One of ``econlib.book.claims.VERDICTS``.
    notebook, anchor : str
        The notebook's path from the root, and the anchor of the check in its page.
    """

    paper: str
    claim: str
    kind: str
    statement: str
    value: str
    expected: str
    measured: str
    verdict: str
    notebook: str
    anchor: str


def checks(path: Path) -> list[dict]:
    """Records of the executed checks of one notebook, in order."""
    return [
        output.data[MIME]
        for cell in read(path).cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if MIME in output.get("data", {})
    ]


def collect(root: Path = ROOT) -> list[Row]:
    """Join claims files with the checks of executed notebooks.

    Parameters
    ----------
    root : Path
        Folder that holds ``chapters``; claims files are those below it, or the
        repository's where it has none.

    Returns
    -------
    list of Row
        Every claim of every file once; without an executed check it is `open`.

    Raises
    ------
    ClaimsError
        A notebook checks a claim that no file has, or one claim is checked twice.
    """
    claims_root = root if (root / "data" / "claims").is_dir() else ROOT
    files = [load(paper, claims_root) for paper in papers(claims_root)]
    claims = {claim.key: claim for file in files for claim in file.values()}
    found: dict[str, tuple[dict, str]] = {}
    for path in notebooks(root):
        name = path.relative_to(root).as_posix()
        for record in checks(path):
            key = record["id"]
            if key not in claims:
                raise ClaimsError(f"{name}: checks {key!r}, which no claims file has")
            if key in found:
                raise ClaimsError(f"{name}: checks {key!r}, as {found[key][1]} does")
            found[key] = (record, name)
    rows = []
    for key, claim in claims.items():
        record, name = found.get(key, ({}, ""))
        expected_home = f"chapters/{claim.paper}/{claim.notebook}.ipynb"
        rows.append(
            Row(
                paper=claim.paper,
                claim=claim.id,
                kind=claim.kind,
                statement=claim.statement,
                value=claim.value,
                expected=record.get("expected", describe(claim.expect)),
                measured=format_measured(record["measured"]) if record else "",
                verdict=record.get("verdict", "open"),
                notebook=name or expected_home,
                anchor=anchor(key),
            )
        )
    return rows


def totals(rows: list[Row]) -> pd.DataFrame:
    """Count verdicts: one line a paper, one column a verdict, and their sums."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row.paper, Counter())[row.verdict] += 1
    table = pd.DataFrame(
        [[count[v] for v in VERDICTS] for count in counts.values()],
        index=pd.Index(list(counts), name="chapter"),
        columns=list(VERDICTS),
    )
    table["claims"] = table.sum(axis=1)
    table.loc["all"] = table.sum(axis=0)
    return table.astype(int)


def compare(before: list[Row], after: list[Row]) -> list[str]:
    """Name each claim whose verdict is not the same in two scoreboards."""
    old = {(r.paper, r.claim): r.verdict for r in before}
    new = {(r.paper, r.claim): r.verdict for r in after}
    return [
        f"{paper}/{claim}: {old.get((paper, claim), 'absent')} -> "
        f"{new.get((paper, claim), 'absent')}"
        for paper, claim in sorted(old.keys() | new.keys())
        if old.get((paper, claim)) != new.get((paper, claim))
    ]


def frame(rows: list[Row]) -> pd.DataFrame:
    """All rows as a table."""
    return pd.DataFrame([asdict(r) for r in rows])


def render_terminal(rows: list[Row]) -> str:
    """Lay the scoreboard out for a terminal: a line a claim, then the totals."""
    if not rows:
        return "no claims"
    lines = []
    width = max(len(r.claim) for r in rows)
    for paper in dict.fromkeys(r.paper for r in rows):
        lines.append(paper)
        for r in (r for r in rows if r.paper == paper):
            measured = r.measured if len(r.measured) <= 60 else r.measured[:59] + "…"
            lines.append(f"  {r.claim:<{width}}  {r.verdict:<24}  {measured}".rstrip())
    return "\n".join([*lines, "", totals(rows).to_string()])


def titles(root: Path = ROOT) -> dict[str, str]:
    """Title of each chapter that has a claims file."""
    found = {}
    for paper in papers(root):
        path = root / "data" / "claims" / f"{paper}.yml"
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        found[paper] = document.get("title", paper)
    return found


def markdown_totals(rows: list[Row]) -> str:
    """Totals as a Markdown table, verdicts that no claim has left out."""
    table = totals(rows)
    table = table.loc[:, [c for c in table if table.loc["all", c] or c == "claims"]]
    header = "| chapter | " + " | ".join(table.columns) + " |"
    rule = "| --- |" + " ---: |" * len(table.columns)
    body = [
        f"| {name} | " + " | ".join(str(n) for n in line) + " |"
        for name, line in zip(table.index, table.to_numpy(), strict=True)
    ]
    return "\n".join([header, rule, *body])


def write_readme(root: Path = ROOT) -> bool:
    """Put the totals between the README's markers.

    Returns
    -------
    bool
        Whether the file changed.

    Raises
    ------
    ValueError
        The markers are not there.
    """
    path = root / "README.md"
    text = path.read_text(encoding="utf-8")
    head, start, rest = text.partition(_START)
    _, end, tail = rest.partition(_END)
    if not start or not end:
        raise ValueError(f"{path.name}: expected {_START} and, below it, {_END}")
    fresh = f"{head}{_START}\n{markdown_totals(collect(root))}\n{_END}{tail}"
    if fresh == text:
        return False
    temporary = path.with_suffix(f".{uuid.uuid4().hex[:8]}")
    temporary.write_text(fresh, encoding="utf-8")
    os.replace(temporary, path)
    return True
