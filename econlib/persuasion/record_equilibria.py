"""Long runs of every way to look for equilibria, kept as JSON.

``python -m econlib.persuasion.record_equilibria`` compares all methods in six games of
two senders and one of three, with three seeds of networks and starts each, and writes
``data/recorded/persuasion/equilibria/<name>.json`` after each game, about twenty
minutes on one core; names after it run those games only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch

from econlib.persuasion.comparison import METHODS, Budget, compare
from econlib.persuasion.examples import match_game
from econlib.persuasion.games import full_revelation
from econlib.persuasion.one_sender import ceilings, welfare_bound
from econlib.persuasion.partitions import partition_equilibria
from econlib.persuasion.tallies import tally
from econlib.records import Shelf, digits, provenance

__all__ = ["GAMES", "SHELF", "load", "run"]

#: Senders, states and game seed of each record; as many actions and signals as states.
GAMES = {f"two_{k}": (2, 3, k) for k in range(6)} | {"three_1": (3, 3, 1)}
RADIUS, TOLERANCE = 0.05, 0.005
LONG = Budget(
    n_train=100_000,
    n_test=5_000,
    n_steps=1600,
    n_starts=20,
    n_climb=600,
    n_polished=10,
    n_replies=4,
    refits=3,
)
#: With three senders, where certificates cost more.
SHORTER = Budget(
    n_train=100_000,
    n_test=5_000,
    n_steps=1000,
    n_starts=8,
    n_climb=360,
    n_polished=2,
    n_replies=1,
    refits=2,
)

#: The records, by game.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/persuasion/equilibria/{}.json", GAMES, "seed", "game")
load = SHELF.load


def run(
    name: str,
    budget: Budget | None = None,
    seeds: Sequence[int] | None = None,
    methods: Sequence[str] = METHODS,
) -> dict:
    """Compare all methods in one game.

    Parameters
    ----------
    name : str
        One of ``GAMES``.
    budget : Budget, optional
        In place of that of the recorded run.
    seeds : sequence of int, optional
        Of networks and starts; three, or one with three senders.
    methods : sequence of str
        Of :data:`econlib.persuasion.comparison.METHODS`.

    Returns
    -------
    dict
        Parameters, bounds, a row for each seed and method, seconds, machine, versions
        and command.

    Raises
    ------
    ValueError
        An unknown game or method.
    """
    n, m, game_seed = GAMES[SHELF.known(name)]
    if budget is None:
        budget = LONG if n == 2 else SHORTER
    if seeds is None:
        seeds = range(3) if n == 2 else range(1)
    torch.set_num_threads(1)
    began, runs = time.process_time(), []
    game = match_game(n, m, m, game_seed)
    for seed in seeds:
        found = compare(game, m, budget, radius=RADIUS, methods=methods, seed=seed)
        for method, row in found.items():
            one = _rounded(tally(game, row, TOLERANCE))
            runs.append({"seed": seed, "method": method} | one)
    partitions = partition_equilibria(game)
    best = max(partitions, key=lambda e: e.utilities.sum())
    return {
        "game": name,
        "n_senders": n,
        "n_states": m,
        "game_seed": game_seed,
        "radius": RADIUS,
        "tolerance": TOLERANCE,
        "budget": asdict(budget),
        "revealed": digits(full_revelation(game)),
        "ceilings": digits(ceilings(game)),
        "welfare_bound": digits(np.array([welfare_bound(game)]))[0],
        "best_partition": digits(best.utilities),
        "n_partitions": len(partitions),
        "runs": runs,
        "cpu_seconds": round(time.process_time() - began, 1),
        **provenance("numpy", "torch", "highspy"),
        "command": f"python -m econlib.persuasion.record_equilibria {name}",
    }


def _rounded(row: dict) -> dict:
    """Six digits of each number."""
    kept = {}
    for key, value in row.items():
        if isinstance(value, list):
            kept[key] = digits(np.array(value))
        else:
            real = isinstance(value, float)
            kept[key] = digits(np.array([value]))[0] if real else value
    return kept


if __name__ == "__main__":
    SHELF.record(run, sys.argv[1:])
