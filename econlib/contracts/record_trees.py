r"""Long runs of the deep learner on trees, kept as JSON.

``python -m econlib.contracts.record_trees`` trains the paper's setting, depth 10, three
instances, 20,000 iterations of eight interactions, batch 128: with networks of width
32, five trials and two margins, and with the paper's 2 × 256 and one trial.  About
eight minutes on one quiet core; it writes ``data/recorded/contracts/trees.json``.
"""

from __future__ import annotations

import time

import numpy as np

from econlib.contracts.tree_deep import train_deep
from econlib.contracts.tree_runs import Learned, Runs, lay_out
from econlib.contracts.trees import solve, tree_batch
from econlib.records import digits, provenance
from econlib.records import load as read
from econlib.records import write as save

__all__ = ["MARGINS", "PARTS", "load", "record", "run"]

#: Margins of the recorded runs.
MARGINS = (0.0, 0.02)
#: Hidden units, trials and first and last step of Adam, by name of the part.
PARTS = {
    "narrow": {"hidden": 32, "n_trials": 5, "lr": (5e-3, 1e-4)},
    "wide": {"hidden": 256, "n_trials": 1, "lr": (1e-3, 1e-4)},
}
_FILE = "data/recorded/contracts/trees.json"
_COMMAND = "python -m econlib.contracts.record_trees"


def run(
    depth: int = 10,
    iterations: int = 20_000,
    seeds: tuple[int, ...] = (0, 1, 2),
    eval_every: int = 500,
) -> dict:
    """Train both parts.

    Parameters
    ----------
    depth, iterations, eval_every : int
        Layers of the trees, batches, and batches between two judgements.
    seeds : tuple of int
        Of the instances.

    Returns
    -------
    dict
        Parameters, numbers for each run, seconds, machine, versions and command.
    """
    trees = tree_batch(depth, seeds)
    truth = solve(trees)
    start, runs, spent = time.process_time(), [], {}
    for name, part in PARTS.items():
        begun = time.process_time()
        layout = lay_out(trees, part["n_trials"], MARGINS)
        options = {"interactions": 8, "hidden": part["hidden"], "lr": part["lr"]}
        found = train_deep(layout, iterations, eval_every=eval_every, **options)
        runs += [_kept(name, layout, found, i) for i in range(len(layout))]
        spent[name] = round(time.process_time() - begun, 1)
    nudged = [solve(trees, xi) for xi in MARGINS]
    return {
        "depth": depth,
        "iterations": iterations,
        "instances": list(seeds),
        "margins": list(MARGINS),
        "interactions": 8,
        "batch": 128,
        "target_every": 100,
        "tolerance": 0.02,
        "parts": {k: dict(v, lr=list(v["lr"])) for k, v in PARTS.items()},
        "steps": found.steps.tolist(),
        "exact": digits(truth.vp[:, 0], 8),
        "exact_nudged": [digits(x.vp[:, 0], 8) for x in nudged],
        "exact_agent": [digits(x.va[:, 0], 8) for x in nudged],
        "runs": runs,
        "cpu_seconds": spent,
        "seconds": round(time.process_time() - start, 1),
        **provenance("numpy", "numba"),
        "command": _COMMAND,
    }


def _kept(part: str, layout: Runs, found: Learned, i: int) -> dict:
    """What is kept of a run, every curve with one number for each of the steps."""
    curves = ("strict", "implemented", "tolerant", "agent", "follow", "accuracy")
    mistaken = found.act[i] != solve(layout.trees.take([i])).act[0]
    return {
        "part": part,
        "instance": int(layout.instance[i]),
        "trial": int(layout.trial[i]),
        "margin": MARGINS[layout.level[i]],
        **{name: digits(getattr(found, name)[i], 5) for name in curves},
        "seen": float(np.round(found.seen[i, -1], 5)),
        "value": float(np.round(found.q[i, 0].max(), 5)),
        "mistaken": np.flatnonzero(mistaken).tolist(),
    }


def record() -> None:
    """Run everything and write the file."""
    save(_FILE, run(), row="part")


def load() -> dict:
    """The recorded runs."""
    return read(_FILE)


if __name__ == "__main__":
    record()
