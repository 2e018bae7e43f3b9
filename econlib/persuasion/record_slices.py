r"""What step size and budget do to errors on the slice of the first figure, as JSON.

``python -m econlib.persuasion.record_slices`` trains the three networks of one size on
points of the slice, for both policies, at four step sizes and three numbers of steps,
with five seeds, and DNL with parts of it changed; it writes
``data/recorded/persuasion/slices.json``, about fifteen minutes on one core.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Sequence

import numpy as np
import torch

from econlib.persuasion.examples import surface_game
from econlib.persuasion.games import utilities_batch
from econlib.persuasion.nets import DNL
from econlib.persuasion.slices import cliffs, grid_points, slice_rules
from econlib.persuasion.stacks import count_weights, fit_stack
from econlib.persuasion.study import core
from econlib.records import Shelf, digits, provenance

__all__ = [
    "KINDS",
    "POLICIES",
    "RATES",
    "SHELF",
    "STEPS",
    "VARIANTS",
    "best",
    "errors",
    "load",
    "probe",
    "run",
]

KINDS = ("ReLU", "DeLU", "DNL")
#: What both senders do in the second state.
POLICIES = {"A": (0.5, 0.5), "B": (0.2, 0.8)}
RATES = (1e-3, 2e-3, 4e-3, 8e-3)
STEPS = (750, 1500, 3000)
#: DNL with another head, or with a part left out.
#:
#: :meta hide-value:
VARIANTS = {
    "hyperbolic tangent": {"smooth": "tanh"},
    "softplus": {"smooth": "softplus"},
    "head on the inputs": {"without": "trunk"},
    "one head for all patterns": {"without": "pattern"},
}

#: The record.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/persuasion/{}.json", ("slices",), "policy")


def errors(
    kind: str,
    lr: float,
    n_steps: int,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    width: int = 64,
    head: int = 16,
    smooth: str = "square",
    without: str = "",
    n_points: int = 4000,
    n_grid: int = 100,
) -> list[dict]:
    """Errors on a grid of networks of one kind that have seen points of the slice.

    Parameters
    ----------
    kind : {"ReLU", "DeLU", "DNL"}
        Of one size, that of DNL.
    lr : float
        First step size of Adam.
    n_steps : int
        Of 128 points each.
    seeds : sequence of int
        Of points and first weights.
    width, head, smooth, without
        DNL's.
    n_points, n_grid : int
        Points to learn from, and along each axis to judge on.

    Returns
    -------
    list of dict
        For each policy and seed: ``error``, the mean square in variances over the grid,
        ``near`` and ``far``, mean absolute errors in standard deviations near cliffs
        and elsewhere, and ``n_weights``.
    """
    game, at = surface_game(), grid_points(n_grid)
    who = list(itertools.product(POLICIES, seeds))
    points, paid = [], []
    for k, seed in who:
        rng = np.random.default_rng([seed, list(POLICIES).index(k)])
        xy = torch.as_tensor(rng.random((n_points, 2)))
        points.append(xy.float())
        paid.append(utilities_batch(game, slice_rules(xy, POLICIES[k]))[:, :1])
    y = torch.stack(paid)
    mean, scale = y.mean(1, keepdim=True), y.std(1, keepdim=True)
    shape = {"width": width, "head": head, "smooth": smooth}
    if without:
        nets = [DNL(2, 1, **shape, seed=seed, without=without) for _, seed in who]
    else:
        nets = [core(kind, 2, 1, seed=seed, **shape) for _, seed in who]
    target = ((y - mean) / scale).float()
    fit_stack(nets, torch.stack(points), target, n_steps=n_steps, lr=lr)
    rows = []
    for j, (k, seed) in enumerate(who):
        truth = utilities_batch(game, slice_rules(at.double(), POLICIES[k]))[:, 0]
        with torch.no_grad():
            said = nets[j](at)[:, 0] * scale[j, 0] + mean[j, 0]
        off = ((said - truth) / truth.std()).numpy().reshape(n_grid, n_grid)
        edge = cliffs(truth.numpy().reshape(n_grid, n_grid))
        row = {"error": (off**2).mean(), "near": np.abs(off[edge]).mean()}
        row["far"] = np.abs(off[~edge]).mean()
        kept = dict(zip(row, digits(np.array(list(row.values()))), strict=True))
        named = {"policy": k, "kind": kind, "lr": lr, "n_steps": n_steps, "seed": seed}
        rows.append(named | {"n_weights": count_weights(nets[j])} | kept)
    return rows


def probe() -> list[dict]:
    """Forty steps of each network with one seed: a cell that is quickly made again."""
    return [row for kind in KINDS for row in errors(kind, 4e-3, 40, (0,))]


def run(
    name: str = "slices",
    rates: Sequence[float] = RATES,
    steps: Sequence[int] = STEPS,
    seeds: Sequence[int] = range(5),
) -> dict:
    """Errors of every network at every step size and number of steps.

    Parameters
    ----------
    name : str
        ``"slices"``.
    rates, steps, seeds
        Step sizes, numbers of steps, and seeds, as in :func:`errors`.

    Returns
    -------
    dict
        Errors of each run, a probe, seconds, machine, versions and command.
    """
    SHELF.known(name)
    torch.set_num_threads(1)
    began, runs = time.process_time(), []
    for kind, lr, n_steps in itertools.product(KINDS, rates, steps):
        runs += errors(kind, lr, n_steps, seeds)
    for name, change in VARIANTS.items():
        rows = errors("DNL", RATES[1], STEPS[-1], seeds, **change)
        runs += [row | {"kind": f"DNL, {name}"} for row in rows]
    return {
        "n_points": 4000,
        "batch": 128,
        "runs": runs,
        "probe": probe(),
        "cpu_seconds": round(time.process_time() - began, 1),
        **provenance("numpy", "torch"),
        "command": "python -m econlib.persuasion.record_slices",
    }


def load() -> dict:
    """The record."""
    return SHELF.load("slices")


def best(kept: dict) -> dict[str, float]:
    """The step size with the smallest error after most steps, by network.

    Mean over policies and seeds.
    """
    runs = [r for r in kept["runs"] if r["n_steps"] == max(STEPS)]

    def mean(kind: str, lr: float) -> float:
        some = [r["error"] for r in runs if (r["kind"], r["lr"]) == (kind, lr)]
        return float(np.mean(some))

    return {kind: min(RATES, key=lambda lr, k=kind: mean(k, lr)) for kind in KINDS}


if __name__ == "__main__":
    SHELF.record(run, sys.argv[1:])
