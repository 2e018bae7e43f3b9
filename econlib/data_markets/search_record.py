"""The search for a third item over a wide family of laws, kept as JSON.

``python -m econlib.data_markets.search_record`` brackets the optimum for six random
laws of beliefs and four spreads of stakes, about five minutes on one core, and writes
``data/recorded/data_markets/two_items.json``.
"""

from __future__ import annotations

import time

import numpy as np

from econlib.data_markets.beliefs import beta_mixture, random_parameters
from econlib.data_markets.conjecture import bracket
from econlib.records import digits, load, provenance, write

__all__ = ["LOWS", "N_LAWS", "family", "kept", "record", "row"]

# where the record is, below the repository
_FILE = "data/recorded/data_markets/two_items.json"
#: Random laws, and lower ends of the stakes.
N_LAWS, LOWS = 6, (0.0, 0.3, 0.6, 0.85)


def family(n_laws: int = N_LAWS, seed: int = 0) -> list[tuple[list, list]]:
    """Weights and parameters of random mixtures of one to four Beta laws."""
    rng = np.random.default_rng(seed)
    return [random_parameters(rng) for _ in range(n_laws)]


def row(weights: list, parameters: list, low: float) -> dict:
    """Bracket one member; numbers to six digits."""
    start = time.perf_counter()
    found = bracket(beta_mixture(weights, parameters), low, cells=(64, 12), n_nodes=24)
    return {
        "low": low,
        "weights": digits(np.array(weights)),
        "parameters": [digits(np.array(pair)) for pair in parameters],
        "one": round(found.one, 9),
        "two": round(found.two, 9),
        "three": round(found.three, 9),
        "bound": round(found.bound, 9),
        "slopes": digits(found.slopes),
        "prices": digits(found.prices),
        "masses": digits(found.masses),
        "seconds": round(time.perf_counter() - start, 1),
    }


def record() -> None:
    """Run the whole family and write the file."""
    start = time.perf_counter()
    rows = [row(w, p, low) for w, p in family() for low in LOWS]
    write(
        _FILE,
        {
            "laws": N_LAWS,
            "lows": list(LOWS),
            "seed": 0,
            "cells": [64, 12],
            "seconds": round(time.perf_counter() - start, 1),
            **provenance("numpy", "scipy", "highspy"),
            "command": "python -m econlib.data_markets.search_record",
            "members": rows,
        },
        row="low",
    )


def kept() -> dict:
    """The recorded search."""
    return load(_FILE)


if __name__ == "__main__":
    record()
