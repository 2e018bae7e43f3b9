"""Comparisons on record, by ``python -m econlib.decpomdp_diffusion.record NAME``.

Every method on sensor networks with and without collective observability, five seeds
each; sweeps at three sizes; orders of the agents; noise levels and lengths of history.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from econlib import records
from econlib.decpomdp_diffusion.reconstruction import (
    METRICS,
    compare,
    orders,
    sensitivity,
    sweeps,
    train_case,
)
from econlib.decpomdp_diffusion.sensors import sensor_network

__all__ = ["FILE", "SETTINGS", "main", "reconstruction"]

#: Where the record is kept.
#:
#: :meta hide-value:
FILE = "data/recorded/decpomdp_diffusion/reconstruction.json"
#: Sizes and training of the run.
SETTINGS = {
    "n_seeds": 5,
    "n_episodes": 20000,
    "n_histories": 120,
    "n_steps": 3000,
    "peer_steps": 2000,
    "width": 128,
    "seed": 0,
}


def reconstruction(settings: dict) -> dict:
    """The record's numbers under some settings."""
    own = {k: v for k, v in settings.items() if k != "peer_steps"}
    peers = {
        "n_steps": settings["peer_steps"],
        "width": settings["width"],
        "seed": settings["seed"],
    }
    found: dict = {"table": {}, "sweeps": {}, "sensitivity": {}}
    for name, active in (("all sensors", None), ("sensors 0 and 5", [0, 5])):
        case = train_case(sensor_network((2, 3), 2, active), length=4, **own)
        rows = compare(case, **peers)
        found["table"][name] = {
            method: dict(zip(METRICS, map(_plain, row), strict=True))
            for method, row in rows.items()
        }
        if active is None:
            found["orders"] = {
                k: _plain(v) for k, v in orders(case, own["seed"]).items()
            }
            found["sweeps"]["2x3"] = _curves(case, own["seed"])
            for sigma in (0.15, 0.25, 0.4):
                row = sensitivity(case, sigma, own["seed"])
                found["sensitivity"][f"noise {sigma}"] = {
                    k: _plain(v) for k, v in row.items()
                }
    for shape, label in (((2, 2), "2x2"), ((3, 3), "3x3")):
        case = train_case(sensor_network(shape, 2), length=4, **own)
        found["sweeps"][label] = _curves(case, own["seed"])
    for length in (1, 2):
        case = train_case(sensor_network((2, 3), 2), length=length, **own)
        row = sensitivity(case, 0.25, own["seed"])
        found["sensitivity"][f"length {length}"] = {
            k: _plain(v) for k, v in row.items()
        }
    return found


def _curves(case, seed: int) -> dict:
    return {
        name: [_plain(row) for row in curve]
        for name, curve in sweeps(case, 0.25, 8, seed).items()
    }


def _plain(row: np.ndarray) -> list[float | None]:
    return records.digits(np.asarray(row, float), 5)


def main(arguments: list[str]) -> None:
    """Run and write the record."""
    if arguments != ["reconstruction"]:
        raise SystemExit("expected one name: reconstruction")
    start = time.process_time()
    kept = {
        "command": "python -m econlib.decpomdp_diffusion.record reconstruction",
        "settings": SETTINGS,
        **records.provenance("numpy", "torch"),
        **reconstruction(SETTINGS),
    }
    kept["cpu_seconds"] = round(time.process_time() - start)
    records.write(FILE, kept)


if __name__ == "__main__":
    main(sys.argv[1:])
