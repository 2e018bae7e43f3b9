"""Which step size suits each network, on games that no comparison uses, as JSON.

``python -m econlib.persuasion.record_rates`` fits the six networks of
:mod:`econlib.persuasion.contenders` at four step sizes each, with the data and steps
of the long comparison, in two games of two senders and three states, and writes
``data/recorded/persuasion/rates.json``, about twelve minutes on one core.  The step
sizes in :data:`econlib.persuasion.contenders.NETWORKS` are the best of these.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from econlib.persuasion.contenders import networks
from econlib.persuasion.examples import match_game
from econlib.persuasion.surrogates import (
    draw_profiles,
    fit_surrogate,
    standardised_error,
)
from econlib.records import Shelf, digits, provenance

__all__ = ["GAMES", "RATES", "SHELF", "best", "load", "run"]

#: Game seeds, not among those of any comparison.
GAMES = (100, 101)
_FLAT, _SHARED = (1e-3, 2e-3, 4e-3, 8e-3), (2.5e-3, 5e-3, 1e-2, 2e-2)
#: Step sizes tried, by network.
#:
#: :meta hide-value:
RATES = {
    prefix + kind: rates
    for prefix, rates in (("", _FLAT), ("shared ", _SHARED))
    for kind in ("ReLU", "DeLU", "DNL")
}

#: The record.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/persuasion/{}.json", ("rates",), "network")


def load() -> dict:
    """The record."""
    return SHELF.load("rates")


def run(
    name: str = "rates",
    n_train: int = 100_000,
    n_steps: int = 6000,
    games: Sequence[int] = GAMES,
    rates: Mapping[str, Sequence[float]] = RATES,
) -> dict:
    """Fit each network at each step size in each game.

    Parameters
    ----------
    name : str
        ``"rates"``.
    n_train, n_steps : int
        Profiles to learn from, and Adam steps of 256 of them.
    games : sequence of int
        Seeds of match games of two senders and three states.
    rates : mapping of str to sequence of float
        Step sizes by network.

    Returns
    -------
    dict
        Parameters, an error for each network, step size and game, seconds, machine,
        versions and command.
    """
    SHELF.known(name)
    torch.set_num_threads(1)
    began, runs = time.process_time(), []
    for number in games:
        game, rng = match_game(2, 3, 3, number), np.random.default_rng(number)
        test, train = (draw_profiles(game, 3, k, rng) for k in (5000, n_train))
        for kind, some in rates.items():
            for lr in some:
                net = networks(game, 3, 0)[kind]
                fitted = fit_surrogate(net, game, train, n_steps=n_steps, lr=lr)
                error = standardised_error(fitted, game, test)
                row = {"network": kind, "lr": lr, "game": number}
                runs.append(row | {"error": digits(np.array([error]))[0]})
    return {
        "n_train": n_train,
        "n_steps": n_steps,
        "runs": runs,
        "cpu_seconds": round(time.process_time() - began, 1),
        **provenance("numpy", "torch"),
        "command": "python -m econlib.persuasion.record_rates",
    }


def best(kept: dict) -> dict[str, float]:
    """The step size with the smallest mean error, by network."""
    mean: dict[str, dict[float, float]] = {}
    for row in kept["runs"]:
        by_rate = mean.setdefault(row["network"], {})
        by_rate[row["lr"]] = by_rate.get(row["lr"], 0.0) + row["error"]
    return {kind: min(by_rate, key=by_rate.get) for kind, by_rate in mean.items()}


if __name__ == "__main__":
    SHELF.record(run, sys.argv[1:])
