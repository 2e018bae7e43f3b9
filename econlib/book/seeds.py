"""Verdicts over seeds: tables of sweeps, held against the committed verdicts.

``econlib sweep NOTEBOOK -p seed 0:10`` counts the verdicts of each claim; its
``verdicts.csv`` is kept as ``data/recorded/<paper>/seeds/<NN_topic>/verdicts.csv``.  A
verdict that depends on luck is no verdict: at least nine seeds of ten must give the one
that the notebook shows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from econlib.book.runs import ROOT, RunError
from econlib.book.scoreboard import checks

__all__ = ["LEAST_POINTS", "LEAST_SHARE", "Seeds", "agreement"]

LEAST_POINTS = 10
LEAST_SHARE = 0.9
_COLUMNS = ["claim", "verdict", "points"]


@dataclass(frozen=True)
class Seeds:
    """One notebook's verdicts over seeds.

    Attributes
    ----------
    n_points : int
        Seeds that were run.
    n_agreeing : int
        Of these, seeds with the committed verdict, for the claim where they are fewest.
    faults : list of str
        What is wrong: too few seeds, a claim missing or unknown, too little agreement.
    """

    n_points: int
    n_agreeing: int
    faults: list[str]


def agreement(root: Path = ROOT) -> dict[str, Seeds]:
    """Hold each kept table of verdicts against its notebook.

    Parameters
    ----------
    root : Path
        Folder that holds ``chapters`` and ``data/recorded``.

    Returns
    -------
    dict of str to Seeds
        By the notebook's path from the root.

    Raises
    ------
    RunError
        A table of a notebook that is not there, or with other columns.
    """
    found = {}
    for path in sorted(root.glob("data/recorded/*/seeds/*/verdicts.csv")):
        notebook = root / "chapters" / path.parts[-4] / f"{path.parts[-2]}.ipynb"
        name = path.relative_to(root).as_posix()
        if not notebook.is_file():
            raise RunError(f"{name}: there is no notebook {path.parts[-2]}.ipynb")
        table = pd.read_csv(path)
        if list(table.columns) != _COLUMNS:
            raise RunError(f"{name}: expected the columns {', '.join(_COLUMNS)}")
        shown = {record["id"]: record["verdict"] for record in checks(notebook)}
        found[notebook.relative_to(root).as_posix()] = _compare(table, shown)
    return found


def _compare(table: pd.DataFrame, shown: dict[str, str]) -> Seeds:
    counts: dict[str, Counter[str]] = {}
    for claim, verdict, points in table.itertuples(index=False):
        counts.setdefault(claim, Counter())[verdict] += points
    n_points = max((c.total() for c in counts.values()), default=0)
    n_agreeing, faults = n_points, []
    if n_points < LEAST_POINTS:
        faults.append(f"{n_points} seeds; expected {LEAST_POINTS} or more")
    for claim in sorted(shown.keys() ^ counts.keys()):
        where = "no seed checks it" if claim in shown else "the notebook checks it not"
        faults.append(f"{claim}: {where}")
    for claim in sorted(shown.keys() & counts.keys()):
        n_same = counts[claim][shown[claim]]
        n_agreeing = min(n_agreeing, n_same)
        if n_same < LEAST_SHARE * n_points:
            faults.append(f"{claim}: {shown[claim]} in {n_same} of {n_points} seeds")
    return Seeds(n_points, n_agreeing, faults)
