r"""Long runs of the Coin Game's learners, kept as JSON.

``python -m econlib.contracts.record_coin`` trains tables on the 7 × 7 board and
networks on the 3 × 3 one, both phases, and writes
``data/recorded/contracts/coin_<part>.json``, about five minutes on one core; names of
parts after it run those only.  What was learnt is judged exactly.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch

from econlib.contracts.coin_deep import DeepConfig, train_deep, validate_deep
from econlib.contracts.coin_equilibria import outcome, principal_fixed_point
from econlib.contracts.coin_exact import CoinQuotient, pure
from econlib.contracts.coin_game import CoinRules
from econlib.contracts.coin_judge import (
    LearnedContracts,
    share_split,
    training_curve,
    validation_curve,
)
from econlib.contracts.coin_tabular import train_tabular, validate_tabular
from econlib.records import Shelf, provenance

__all__ = ["PARTS", "SHELF", "load", "run"]

#: Side of the board, horizon, steps of a phase, seeds and nudges of each part.
PARTS = {
    "tabular7": (7, 50, 100_000, (0, 1, 2), (0.0, 0.1)),
    "deep3": (3, 20, 3_000, (0, 1), (0.0, 0.1)),
}
#: Step size and share of random moves of tables on the large board.
LARGE = {"lr": (0.5, 0.005), "eps": (1.0, 0.05)}
LARGE_FRESH = {"lr": (0.5, 0.005), "eps": (0.4, 0.0)}

#: The records, by part.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/contracts/coin_{}.json", PARTS, "seed", "part")
load = SHELF.load


def run(
    part: str,
    steps: int | None = None,
    seeds: tuple[int, ...] | None = None,
    n_kept: int = 8,
) -> dict:
    """Train both phases of one part, and judge.

    Parameters
    ----------
    part : {"tabular7", "deep3"}
        Tables on the 7 × 7 board, or networks on the 3 × 3 one.
    steps, seeds : int, tuple of int, optional
        In place of those of the recorded run.
    n_kept : int
        Points of the curves.

    Returns
    -------
    dict
        Parameters, exact values, curves for each seed, seconds, machine, versions and
        command.

    Raises
    ------
    ValueError
        An unknown part.
    """
    size, horizon, default, default_seeds, nudges = PARTS[SHELF.known(part)]
    steps = default if steps is None else steps
    seeds = default_seeds if seeds is None else seeds
    board = CoinQuotient(CoinRules(size, horizon))
    began = time.perf_counter()
    exact = principal_fixed_point(board)
    both = np.stack([exact.payments, exact.payments], axis=1)
    players = [pure(exact.recommend[:, i]) for i in range(2)]
    truth = outcome(board, *players, exact.recommend, both)
    unit = truth.welfare / horizon / 2
    phases = _tables if part == "tabular7" else _networks
    learned, fresh, at = phases(board, steps, seeds, nudges, unit, n_kept)
    runs = []
    for j, seed in enumerate(seeds):
        q, phi = learned[j]
        kept = LearnedContracts.from_tables(q[-1], phi[-1])
        one = {"seed": seed, "training": _rounded(training_curve(board, q, phi))}
        for k, nudge in enumerate(nudges):
            curve = validation_curve(board, kept, fresh[j][k], nudge * unit)
            split = share_split(board, kept, truth.share, nudge * unit)
            one[f"nudge {nudge:g}"] = _rounded(curve) | {"split": _rounded(split)}
        runs.append(one)
    return {
        "part": part,
        "size": size,
        "horizon": horizon,
        "steps": steps,
        "seeds": list(seeds),
        "nudges": list(nudges),
        "at": at.tolist(),
        "exact_welfare": round(truth.welfare, 6),
        "exact_share": round(truth.share, 6),
        "runs": runs,
        "seconds": round(time.perf_counter() - began, 1),
        **provenance("numpy", "numba", "torch"),
        "command": f"python -m econlib.contracts.record_coin {part}",
    }


def _tables(
    board: CoinQuotient,
    steps: int,
    seeds: tuple[int, ...],
    nudges: tuple[float, ...],
    unit: float,
    n_kept: int,
) -> tuple[list, list, np.ndarray]:
    """Tables of both phases by seed, and by nudge in the second."""
    learned, fresh = [], []
    for seed in seeds:
        first = train_tabular(board, steps, seed=seed, n_kept=n_kept, **LARGE)
        kept = LearnedContracts.from_tables(first.q[-1], first.phi[-1])
        learned.append((first.q, first.phi))
        options = {"seed": seed, "n_kept": n_kept} | LARGE_FRESH
        fresh.append(
            [
                validate_tabular(board, kept, x * unit, steps, **options).psi
                for x in nudges
            ]
        )
    return learned, fresh, first.steps


def _networks(
    board: CoinQuotient,
    steps: int,
    seeds: tuple[int, ...],
    nudges: tuple[float, ...],
    unit: float,
    n_kept: int,
) -> tuple[list, list, np.ndarray]:
    """What networks of both phases say, in the order of :func:`_tables`."""
    torch.set_num_threads(1)
    config = DeepConfig(iters=steps)
    first = train_deep(board, config, seeds, n_kept=n_kept)
    tables = first.tables
    learned = [(tables[:, j, 0], tables[:, j, 1:]) for j in range(len(seeds))]
    kept = [LearnedContracts.from_tables(q[-1], phi[-1]) for q, phi in learned]
    each = [c for c in kept for _ in nudges]
    extra = [x * unit for _ in kept for x in nudges]
    second = validate_deep(board, each, extra, config, seeds[0], n_kept).tables
    n = len(nudges)
    fresh = [[second[:, j * n + k] for k in range(n)] for j in range(len(seeds))]
    return learned, fresh, first.steps


def _rounded(values: dict) -> dict:
    return {k: np.round(v, 5).tolist() for k, v in values.items()}


if __name__ == "__main__":
    SHELF.record(run, sys.argv[1:])
