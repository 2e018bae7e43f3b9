r"""Long runs of the deep learner on trees, kept as JSON.

``python -m econlib.contracts.record_trees`` trains at the paper's length, depth 10 and
20,000 iterations of eight interactions with batch 128: networks of width 32 on three
instances with five trials and two margins, and the paper's 2 × 256 once.  About three
minutes on one quiet core; it writes ``data/recorded/contracts/trees_<part>.json``, and
names of parts after it run those only.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from econlib.contracts.tree_deep import train_deep
from econlib.contracts.tree_runs import Learned, Runs, lay_out
from econlib.contracts.trees import solve, tree_batch
from econlib.records import Shelf, digits, provenance

__all__ = ["PARTS", "SHELF", "load", "run"]

#: Hidden units, first and last step of Adam, instances, trials and margins of a part.
PARTS = {
    "narrow": {
        "hidden": 32,
        "lr": (5e-3, 1e-4),
        "instances": (0, 1, 2),
        "n_trials": 5,
        "margins": (0.0, 0.02),
    },
    "wide": {
        "hidden": 256,
        "lr": (1e-3, 1e-4),
        "instances": (0,),
        "n_trials": 1,
        "margins": (0.02,),
    },
}
_CURVES = ("strict", "implemented", "tolerant", "agent", "follow", "accuracy")

#: The records, by part.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/contracts/trees_{}.json", PARTS, "instance", "part")
load = SHELF.load


def run(
    part: str, iterations: int = 20_000, depth: int = 10, eval_every: int = 500
) -> dict:
    """Train one part.

    Parameters
    ----------
    part : {"narrow", "wide"}
        A key of :data:`PARTS`.
    iterations, depth, eval_every : int
        Batches, layers of the trees, and batches between two judgements.

    Returns
    -------
    dict
        Parameters, numbers for each run, seconds, machine, versions and command.

    Raises
    ------
    ValueError
        An unknown part.
    """
    setting = PARTS[SHELF.known(part)]
    start, margins = time.process_time(), setting["margins"]
    trees = tree_batch(depth, setting["instances"])
    layout = lay_out(trees, setting["n_trials"], margins)
    options = {"interactions": 8, "hidden": setting["hidden"], "lr": setting["lr"]}
    found = train_deep(layout, iterations, eval_every=eval_every, **options)
    truth, nudged = solve(trees), [solve(trees, xi) for xi in margins]
    return {
        "part": part,
        "depth": depth,
        "iterations": iterations,
        "interactions": 8,
        "batch": 128,
        "target_every": 100,
        "tolerance": 0.02,
        **{k: list(v) if isinstance(v, tuple) else v for k, v in setting.items()},
        "steps": found.steps.tolist(),
        "exact": digits(truth.vp[:, 0], 8),
        "exact_nudged": [digits(x.vp[:, 0], 8) for x in nudged],
        "exact_agent": [digits(x.va[:, 0], 8) for x in nudged],
        "runs": [_kept(layout, found, margins, i) for i in range(len(layout))],
        "cpu_seconds": round(time.process_time() - start, 1),
        **provenance("numpy", "numba"),
        "command": f"python -m econlib.contracts.record_trees {part}",
    }


def _kept(layout: Runs, found: Learned, margins: tuple[float, ...], i: int) -> dict:
    """What is kept of a run, every curve with one number for each of the steps."""
    mistaken = found.act[i] != solve(layout.trees.take([i])).act[0]
    return {
        "instance": int(layout.instance[i]),
        "trial": int(layout.trial[i]),
        "margin": margins[layout.level[i]],
        **{name: digits(getattr(found, name)[i], 5) for name in _CURVES},
        "seen": float(np.round(found.seen[i, -1], 5)),
        "value": float(np.round(found.q[i, 0].max(), 5)),
        "mistaken": np.flatnonzero(mistaken).tolist(),
    }


if __name__ == "__main__":
    SHELF.record(run, sys.argv[1:])
