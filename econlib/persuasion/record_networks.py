"""Long runs of the study of networks, kept as JSON.

``python -m econlib.persuasion.record_networks`` fits every kind of network to five
games of each size, for five seeds and three numbers of profiles, and those on plain
rules for longer, with more profiles and at three step sizes; it writes
``data/recorded/persuasion/networks_<part>.json``, about 25 minutes on one core; names
of parts after it run those only.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from econlib.persuasion.study import KINDS, games_of_size, study
from econlib.records import Shelf, provenance

__all__ = ["PARTS", "SHELF", "load", "probe", "run"]


@dataclass(frozen=True)
class Part:
    """What one record covers.

    Attributes
    ----------
    size : tuple of int
        Senders, states, actions, signals.
    n_steps : int
        Of each network.
    n_train : tuple of int
        Numbers of profiles.
    kinds : tuple of str
        Networks.
    rates : tuple of float or None
        Step sizes; None for each network's own.
    """

    size: tuple[int, ...]
    n_steps: int
    n_train: tuple[int, ...]
    kinds: tuple[str, ...] = tuple(KINDS)
    rates: tuple[float | None, ...] = (None,)


#: The parts of the record.
#:
#: :meta hide-value:
PARTS = {
    "small": Part((2, 2, 2, 2), 1000, (1000, 4000, 16000)),
    "large": Part((2, 3, 3, 3), 1000, (1000, 4000, 16000)),
    "long": Part(
        (2, 3, 3, 3),
        3000,
        (16000, 100_000),
        ("ReLU", "DeLU", "DNL"),
        (2e-3, 4e-3, 8e-3),
    ),
}

#: The records, by part.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/persuasion/networks_{}.json", PARTS, "kind", "part")
load = SHELF.load


def probe(part: str) -> list[dict]:
    """One game, one seed, forty steps: a cell that is quickly made again."""
    plan = PARTS[SHELF.known(part)]
    games, _ = games_of_size(plan.size, 1)
    options = {"kinds": plan.kinds, "n_steps": 40, "n_test": 500}
    return _short(study(plan.size, games, 500, [0], **options))


def run(
    part: str,
    n_games: int = 5,
    n_seeds: int = 5,
    kinds: Sequence[str] | None = None,
    n_steps: int | None = None,
) -> dict:
    """Fit and judge the networks of one part.

    Parameters
    ----------
    part : str
        One of ``PARTS``.
    n_games : int
        Games, the first that are not degenerate.
    n_seeds : int
        Networks of each kind on each game.
    kinds : sequence of str, optional
        In place of those of the recorded run.
    n_steps : int, optional
        In place of those of the recorded run.

    Returns
    -------
    dict
        Parameters, errors of each run, a probe, seconds, machine, versions, command.

    Raises
    ------
    ValueError
        An unknown part.
    """
    plan = PARTS[SHELF.known(part)]
    steps = plan.n_steps if n_steps is None else n_steps
    kinds = plan.kinds if kinds is None else kinds
    torch.set_num_threads(1)
    began = time.perf_counter()
    games, left_out = games_of_size(plan.size, n_games)
    runs = []
    for n, lr in itertools.product(plan.n_train, plan.rates):
        options = {"kinds": kinds, "lr": lr, "n_steps": steps}
        runs += study(plan.size, games, n, range(n_seeds), **options)
    return {
        "part": part,
        "size": list(plan.size),
        "n_steps": steps,
        "batch": 128,
        "degenerate games left out": left_out,
        "runs": _short(runs),
        "probe": probe(part),
        "seconds": round(time.perf_counter() - began, 1),
        **provenance("numpy", "torch"),
        "command": f"python -m econlib.persuasion.record_networks {part}",
    }


def _short(rows: list[dict]) -> list[dict]:
    return [
        {k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in row.items()}
        for row in rows
    ]


if __name__ == "__main__":
    SHELF.record(run, sys.argv[1:])
