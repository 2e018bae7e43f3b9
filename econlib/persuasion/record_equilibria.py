"""The comparison of all methods, with more games, data and steps, kept as JSON.

``python -m econlib.persuasion.record_equilibria`` compares all methods in six games of
two senders and one of three, with three seeds of networks and starts each, and writes
``data/recorded/persuasion/equilibria/<name>.json`` after each game, about an hour on
one core; names after it run those games only.  With two senders networks are also
fitted with a short budget, a sixth of the profiles and a quarter of the steps, and
climb from the same starts; and senders climb on the gated network and on the softened
truth from three times as many starts, with the budget of a notebook.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
import torch

from econlib.persuasion.comparison import METHODS, Budget, compare
from econlib.persuasion.contenders import NETWORKS
from econlib.persuasion.examples import match_game
from econlib.persuasion.games import full_revelation
from econlib.persuasion.one_sender import ceilings, welfare_bound
from econlib.persuasion.partitions import partition_equilibria
from econlib.persuasion.tallies import tally
from econlib.records import Shelf, digits, provenance

__all__ = ["BUDGETS", "GAMES", "SHELF", "WITH", "load", "run"]

#: Senders, states and game seed of each record; as many actions and signals as states.
GAMES = {f"two_{k}": (2, 3, k) for k in range(6)} | {"three_1": (3, 3, 1)}
RADIUS, TOLERANCE = 0.05, 0.005
LONG = Budget(
    n_train=100_000,
    n_test=5_000,
    n_steps=6000,
    n_starts=20,
    n_climb=600,
    n_polished=10,
    n_replies=4,
    refits=3,
)
#: Budgets by number of senders; with three of them certificates cost more.
#:
#: :meta hide-value:
BUDGETS = {
    2: {
        "short": replace(LONG, n_train=16_000, n_steps=1600),
        "long": LONG,
        "many starts": replace(
            LONG, n_train=16_000, n_steps=1600, n_starts=64, n_climb=450
        ),
    },
    3: {
        "long": replace(
            LONG, n_steps=2000, n_starts=8, n_climb=360, n_polished=4, n_replies=2
        )
    },
}

#: Methods that are compared with each budget.
#:
#: :meta hide-value:
WITH = {
    "short": tuple(NETWORKS),
    "long": METHODS,
    "many starts": ("truth, annealed", "gated multilinear"),
}

#: The records, by game.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/persuasion/equilibria/{}.json", GAMES, "seed", "game")
load = SHELF.load


def run(
    name: str,
    budgets: Mapping[str, Budget] | None = None,
    seeds: Sequence[int] = range(3),
    methods: Sequence[str] = METHODS,
) -> dict:
    """Compare all methods in one game.

    Parameters
    ----------
    name : str
        One of ``GAMES``.
    budgets : mapping of str to Budget, optional
        By name, one of ``WITH``, in place of those of the recorded run.
    seeds : sequence of int
        Of networks and starts.
    methods : sequence of str
        Of :data:`econlib.persuasion.comparison.METHODS`.

    Returns
    -------
    dict
        Parameters, bounds, a row for each seed, budget and method, seconds, machine,
        versions and command.

    Raises
    ------
    ValueError
        An unknown game or method.
    """
    n, m, game_seed = GAMES[SHELF.known(name)]
    budgets = BUDGETS[n] if budgets is None else budgets
    torch.set_num_threads(1)
    began, runs = time.process_time(), []
    game = match_game(n, m, m, game_seed)
    for seed, (label, budget) in itertools.product(seeds, budgets.items()):
        some = [k for k in methods if k in WITH[label]]
        found = compare(game, m, budget, radius=RADIUS, methods=some, seed=seed)
        for method, row in found.items():
            one = _rounded(tally(game, row, TOLERANCE))
            runs.append({"seed": seed, "budget": label, "method": method} | one)
    partitions = partition_equilibria(game)
    best = max(partitions, key=lambda e: e.utilities.sum())
    return {
        "game": name,
        "n_senders": n,
        "n_states": m,
        "game_seed": game_seed,
        "radius": RADIUS,
        "tolerance": TOLERANCE,
        "budgets": {label: asdict(budget) for label, budget in budgets.items()},
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
