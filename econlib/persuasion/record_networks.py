"""Long runs of the study of networks, kept as JSON.

``python -m econlib.persuasion.record_networks`` fits every kind of network to five
games of each size, for five seeds and three numbers of profiles, and writes
``data/recorded/persuasion/networks_<part>.json``, about a quarter of an hour on one
core; names of parts after it run those only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import torch

from econlib.persuasion.study import KINDS, games_of_size, study
from econlib.records import Shelf, provenance

__all__ = ["PARTS", "SHELF", "load", "probe", "run"]

#: Sizes (senders, states, actions, signals), steps, profiles and seeds of each part.
#:
#: :meta hide-value:
PARTS = {
    "small": ((2, 2, 2, 2), 1000, (1000, 4000, 16000), 5),
    "large": ((2, 3, 3, 3), 1000, (1000, 4000, 16000), 5),
    "three": ((3, 2, 2, 2), 1000, (1000, 4000, 16000), 5),
}

#: The records, by part.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/persuasion/networks_{}.json", PARTS, "kind", "part")
load = SHELF.load


def probe(part: str) -> list[dict]:
    """One game, one seed, forty steps: a cell that is quickly made again."""
    size = PARTS[SHELF.known(part)][0]
    games, _ = games_of_size(size, 1)
    return _short(study(size, games, 500, [0], n_steps=40, n_test=500))


def run(
    part: str,
    n_games: int = 5,
    n_seeds: int | None = None,
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
    n_seeds : int, optional
        Networks of each kind on each game, in place of those of the recorded run.
    kinds : sequence of str, optional
        Networks; all by default.
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
    size, steps, n_train, seeds = PARTS[SHELF.known(part)]
    steps = steps if n_steps is None else n_steps
    seeds = range(seeds if n_seeds is None else n_seeds)
    kinds = tuple(KINDS) if kinds is None else kinds
    torch.set_num_threads(1)
    began = time.perf_counter()
    games, left_out = games_of_size(size, n_games)
    runs = []
    for n in n_train:
        runs += study(size, games, n, seeds, kinds=kinds, n_steps=steps)
    return {
        "part": part,
        "size": list(size),
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
