r"""Full-budget runs of every setting, kept as JSON.

``python -m econlib.abcs.record`` runs all five settings with the official budgets,
methods and three seeds, a few minutes on one core, and writes
``data/recorded/abcs/<setting>.json``; names of settings after it run those only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from econlib.abcs.config import OFFICIAL
from econlib.abcs.learners import Trace, solve
from econlib.abcs.simulators import Environment, cartpole, game, stacked
from econlib.abcs.tree import from_openspiel, weighted_rps
from econlib.records import Shelf, digits, provenance

__all__ = ["PACKAGES", "SETTINGS", "SHELF", "Setting", "load", "row", "run"]

#: Whose versions a record keeps.
PACKAGES = ("numpy", "numba", "open_spiel")


@dataclass(frozen=True)
class Setting:
    """One of the published settings.

    Attributes
    ----------
    budget : int
        Nodes touched by each run.
    methods : tuple of str
        What is compared there.
    make : callable
        Makes the environment.
    """

    budget: int
    methods: tuple[str, ...]
    make: Callable[[], Environment]


_ALL = ("abcs", "max_cfr", "es", "os", "bql")
#: The published settings by name.
SETTINGS = {
    "cartpole": Setting(500_000, ("abcs", "os", "bql"), cartpole),
    "weighted_rps": Setting(1_000_000, _ALL, lambda: game(weighted_rps())),
    "kuhn_poker": Setting(500_000, _ALL, lambda: game(from_openspiel("kuhn_poker"))),
    "leduc_poker": Setting(
        5_000_000, _ALL, lambda: game(from_openspiel("leduc_poker"))
    ),
    "stacked": Setting(
        5_000_000,
        ("abcs", "max_cfr", "os", "bql"),
        lambda: stacked(from_openspiel("leduc_poker")),
    ),
}

#: The records, by name.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/abcs/{}.json", SETTINGS, "method")
load = SHELF.load


def run(
    name: str, seeds: tuple[int, ...] = (0, 1, 2), budget: int | None = None
) -> dict:
    """Run all methods of a setting; ``budget`` in place of the official one."""
    SHELF.known(name)
    setting = SETTINGS[name]
    spent = setting.budget if budget is None else budget
    env = setting.make()
    solve(env, setting.methods[0], 1, 0)  # compiles
    start = time.perf_counter()
    runs = [row(solve(env, m, spent, s)) for m in setting.methods for s in seeds]
    return {
        "setting": name,
        "environment": env.name,
        "budget": spent,
        "seeds": list(seeds),
        "config": asdict(OFFICIAL),
        "detector": "chi2",
        "evaluation_episodes": 100,
        "seconds": round(time.perf_counter() - start, 1),
        **provenance(*PACKAGES),
        "command": f"python -m econlib.abcs.record {name}",
        "runs": runs,
    }


def row(trace: Trace) -> dict:
    """What is kept of a run: numbers to six digits, none where there is no number."""
    shares = {
        part: digits(values)
        for part, values in trace.nonstationary.items()
        if np.isfinite(values).any()
    }
    return {
        "method": trace.method,
        "seed": trace.seed,
        "nodes": trace.nodes.tolist(),
        "iterations": trace.iterations.tolist(),
        "scores": {k: digits(v) for k, v in trace.scores.items()},
        "nonstationary": shares,
        "followed": digits(trace.followed),
        "seconds": round(trace.seconds, 2),
    }


if __name__ == "__main__":
    SHELF.record(run, sys.argv[1:])
