r"""Long runs of the multi-buyer networks, kept as JSON.

``python -m econlib.data_markets.record`` trains sorted networks and RegretNets on all
thirteen published settings under both incentive notions and writes
``data/recorded/data_markets/<net>_<notion>.json``; names of parts after it run those
only.  The part ``beliefs`` trains the RegretNet of private beliefs as published (rivals
drawn once, liars who obey) and with both mended, at externality 1/2.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import torch

from econlib.data_markets.allocation_nets import SortedNets, train
from econlib.data_markets.belief_nets import BeliefNet, judge_beliefs, train_beliefs
from econlib.data_markets.cells import audit, cell_market, revenue
from econlib.data_markets.competition import SETTINGS
from econlib.data_markets.regret_nets import RegretNets, judge, train_regret
from econlib.records import Shelf, digits, provenance

__all__ = ["PARTS", "SHELF", "load", "run"]

#: Steps, cells in training, cells in the test, seeds of each part.
PARTS = {
    "regret_expost": (3000, 32, 128, (0,)),
    "regret_bic": (3000, 32, 128, (0,)),
    "sorted_expost": (1000, 32, 256, (0,)),
    "sorted_bic": (2500, 32, 256, (0,)),
    "beliefs": (3000, 64, 200, (0,)),
}

#: The records, by part.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/data_markets/{}.json", PARTS, "seed", "part")
load = SHELF.load


def run(
    part: str,
    n_steps: int | None = None,
    seeds: tuple[int, ...] | None = None,
    settings: tuple[str, ...] | None = None,
) -> dict:
    """Train and judge one part, all its settings together.

    Parameters
    ----------
    part : str
        One of ``PARTS``: kind of network and incentive notion, or ``beliefs``.
    n_steps, seeds, settings : optional
        In place of those of the recorded run.

    Returns
    -------
    dict
        Parameters, numbers for each seed by setting, seconds, machine, versions.

    Raises
    ------
    ValueError
        An unknown part.
    """
    SHELF.known(part)
    steps, cells, fine, own_seeds = PARTS[part]
    n_steps = steps if n_steps is None else n_steps
    seeds = own_seeds if seeds is None else seeds
    names = tuple(SETTINGS) if settings is None else settings
    start, runs = time.perf_counter(), []
    for seed in seeds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # still moving in digit four
            if part == "beliefs":
                runs += [
                    {"seed": seed} | _beliefs(as_published, n_steps, cells, fine, seed)
                    for as_published in (True, False)
                ]
                continue
            kind, notion = part.split("_")
            market = cell_market([SETTINGS[name] for name in names], cells)
            judged = _sorted if kind == "sorted" else _regret
            runs.append({"seed": seed} | judged(market, notion, n_steps, fine, seed))
    return {
        "part": part,
        "settings": list(names) if part != "beliefs" else ["U, alpha 0.5"],
        "steps": n_steps,
        "cells": cells,
        "test_cells": fine,
        "width": 64,
        "runs": runs,
        "seconds": round(time.perf_counter() - start, 1),
        **provenance("numpy", "scipy", "torch"),
        "command": f"python -m econlib.data_markets.record {part}",
    }


def _sorted(market, notion: str, n_steps: int, n_cells: int, seed: int) -> dict:
    nets = SortedNets(market, notion, seed=seed)
    train(nets, n_steps, lr=4e-3)
    fine = market.with_cells(n_cells)
    with torch.no_grad():
        x = nets(fine)
        loose = revenue(nets(fine, ordered=False), fine, notion)
        found = audit(x, fine, notion)
        earned = revenue(x, fine, notion)
    return {
        "revenue": digits(earned.numpy(), 7),
        "unsorted": digits(loose.numpy(), 7),
        "regret": digits(found.regret, 3),
        "obedience": digits(found.obedience, 3),
    }


def _regret(market, notion: str, n_steps: int, n_cells: int, seed: int) -> dict:
    nets = RegretNets(market, notion, seed=seed)
    train_regret(nets, n_steps, lr=3e-3, seed=seed)
    found = judge(nets, n_cells)
    return {name: digits(getattr(found, name)) for name in _COUNTS}


def _beliefs(
    as_published: bool, n_steps: int, n_sample: int, n_types: int, seed: int
) -> dict:
    net = BeliefNet(0.5, seed=seed)
    _, rivals = train_beliefs(
        net,
        n_steps,
        n_reports=n_sample,
        n_rivals=n_sample,
        fixed_rivals=as_published,
        double_deviations=not as_published,
        seed=seed,
    )
    fresh, own = judge_beliefs(net, n_types), judge_beliefs(net, n_types, rivals)
    numbers = {}
    for name, found in (("grid", fresh), ("training rivals", own)):
        values = np.array([getattr(found, count) for count in _BELIEF_COUNTS])
        numbers[name] = dict(zip(_BELIEF_COUNTS, digits(values), strict=True))
    return {"as_published": as_published} | numbers


_BELIEF_COUNTS = (
    "revenue",
    "mean_regret",
    "max_regret",
    "obedient_regret",
    "obedience",
)
_COUNTS = (
    "raw",
    "mean_regret",
    "max_regret",
    "unit_regret",
    "obedience",
    "sorted_revenue",
    "pooled_revenue",
)


if __name__ == "__main__":
    torch.set_num_threads(1)
    SHELF.record(run, sys.argv[1:])
