r"""Long runs of the players' learners, kept as JSON.

``python -m econlib.social_design.record`` trains tabular players on seven schedules
with 50 000 updates and ten seeds, and the shared network on the same ones with the
official hyperparameters and 400 updates, a few minutes on one core, and writes
``data/recorded/social_design/learned_<part>.json``; names of parts after it run those
only.  What was learnt is judged by exact expectation.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from econlib.records import Shelf, provenance
from econlib.social_design.harvest import HarvestLite, Play
from econlib.social_design.learners import QEnsemble
from econlib.social_design.ppo import train_ppo

__all__ = ["PARTS", "SEVEN", "SHELF", "load", "run"]

#: Schedules by which learners are judged.
SEVEN = (
    (0.0, 0.0),
    (0.1, 0.37),
    (0.6, 1.0),
    (0.8, 0.8),
    (0.9, 0.9),
    (1.0, 1.0),
    (0.5, 0.5),
)
#: Updates and seeds of each part.
PARTS = {"q": (50_000, tuple(range(10))), "ppo": (400, (0,))}

#: The records, by part.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/social_design/learned_{}.json", PARTS, "seed", "part")
load = SHELF.load


def run(
    part: str, updates: int | None = None, seeds: tuple[int, ...] | None = None
) -> dict:
    """Train and judge one part.

    Parameters
    ----------
    part : {"q", "ppo"}
        Tables, or the shared network; both on seven schedules.
    updates, seeds : int, tuple of int, optional
        In place of those of the recorded run.

    Returns
    -------
    dict
        Parameters, numbers for each seed, seconds, machine, versions and command.

    Raises
    ------
    ValueError
        An unknown part.
    """
    SHELF.known(part)
    updates = PARTS[part][0] if updates is None else updates
    seeds = PARTS[part][1] if seeds is None else seeds
    game = HarvestLite()
    rates = np.array(SEVEN)
    exact = game.solve(rates)
    start, runs = time.perf_counter(), []
    for seed in seeds:
        if part == "q":
            play, history = QEnsemble(game, rates, seed, 8, updates).train().value(), []
        else:
            fit = train_ppo(game, rates, updates, seed=seed, device="cpu")
            play = game.evaluate(rates, fit.mixed)
            parts = np.array_split(fit.welfare, min(50, updates))
            history = [_digits(x.mean()) for x in parts]
        runs.append({"seed": seed, "sampled_mean": history} | _judged(play, game.s0))
    return {
        "part": part,
        "updates": updates,
        "seeds": list(seeds),
        "rates": rates.round(2).tolist(),
        "exact_mean": _digits(exact.values[:, game.s0].mean(axis=1)),
        "exact_least": _digits(exact.values[:, game.s0].min(axis=1)),
        "runs": runs,
        "seconds": round(time.perf_counter() - start, 1),
        **provenance("numpy", "numba", "torch"),
        "command": f"python -m econlib.social_design.record {part}",
    }


def _judged(play: Play, start: int) -> dict:
    """Exact mean, least utility and exploitability from the first stock."""
    return {
        "mean": _digits(play.utilities[:, start].mean(axis=1)),
        "least": _digits(play.utilities[:, start].min(axis=1)),
        "exploitability": _digits(play.exploitability[:, start].max(axis=1)),
    }


def _digits(values: np.ndarray | np.floating) -> list | float:
    return np.round(values, 5).tolist()


if __name__ == "__main__":
    SHELF.record(run, sys.argv[1:])
