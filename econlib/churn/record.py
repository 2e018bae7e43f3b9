"""Long runs of networks and their updates, kept as JSON.

``python -m econlib.churn.record`` trains a hundred networks a set on COMPAS and HMDA,
for updates of four sizes and three cuts of the tables, and writes
``data/recorded/churn/<part>.json``, about four minutes on one core; names of parts
after it run those only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import torch

from econlib.churn.instability import overlaps, row_measures
from econlib.churn.networks import BankConfig
from econlib.churn.tables import split
from econlib.churn.updates import standardised, train_updates
from econlib.records import Shelf, provenance

__all__ = ["PARTS", "SHELF", "load", "run"]

#: Table, kind of network, epochs, models in a set, and cuts of each part.
PARTS = {
    "compas_dnn": ("compas", "dnn", 10, 100, 3),
    "hmda_dnn": ("hmda", "dnn", 20, 100, 3),
}
RS = (0.5, 0.8, 0.9, 0.99)
EPS = 0.01

#: The records, by part.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/churn/{}.json", PARTS, "split", "part")
load = SHELF.load


def run(
    part: str,
    m: int | None = None,
    rs: Sequence[float] = RS,
    n_splits: int | None = None,
) -> dict:
    """Train the banks of one part, and measure.

    Parameters
    ----------
    part : str
        One of ``PARTS``.
    m, n_splits : int, optional
        Models in a set and cuts, in place of those of the recorded run.
    rs : sequence of float
        Shares of the rows that are there before the update.

    Returns
    -------
    dict
        Parameters, measures for each cut and size, seconds, machine, versions and
        command.

    Raises
    ------
    ValueError
        An unknown part.
    """
    table, kind, epochs, default_m, default_splits = PARTS[SHELF.known(part)]
    m = default_m if m is None else m
    n_splits = default_splits if n_splits is None else n_splits
    config = BankConfig(kind=kind, epochs=epochs)
    torch.set_num_threads(1)
    began, runs = time.perf_counter(), []
    for k in range(n_splits):
        cut = standardised(split(table, k, least_count=20, cap=8000))
        found = train_updates(cut, config, rs=rs, m=m, twice=True, seed=k)
        for r in rs:
            before, after = found[r, epochs]
            some, other = before.halves(EPS)
            kept = after.within(EPS)
            means = row_measures(some, other, kept).mean()
            values = dict(means) | overlaps(means)
            values["error"] = (kept.labels != cut.y_test).mean()
            one = {name: float(f"{v:.5g}") for name, v in values.items()}
            sizes = [len(x.losses) for x in (some, other, kept)]
            runs.append({"split": k, "r": r, "kept": sizes} | one)
    return {
        "part": part,
        "table": table,
        "kind": kind,
        "epochs": epochs,
        "m": m,
        "eps": EPS,
        "runs": runs,
        "seconds": round(time.perf_counter() - began, 1),
        **provenance("numpy", "torch", "scikit-learn"),
        "command": f"python -m econlib.churn.record {part}",
    }


if __name__ == "__main__":
    SHELF.record(run, sys.argv[1:])
