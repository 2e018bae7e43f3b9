"""Comparisons on record, by ``python -m econlib.decpomdp_diffusion.record NAME``.

``reconstruction``: every method on sensor networks with and without collective
observability, five seeds each; sweeps at three sizes; orders of the agents; noise
levels and lengths of history.  ``large``: the largest of the three sizes again, with a
wider network and longer training.  ``combat``: every method on battles, both ways of
seeing.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from econlib import records
from econlib.decpomdp_diffusion import combat_data
from econlib.decpomdp_diffusion.combat import Battle
from econlib.decpomdp_diffusion.combat_methods import (
    ERRORS,
    battle_errors,
    moments,
    reconstruct,
)
from econlib.decpomdp_diffusion.reconstruction import (
    METRICS,
    compare,
    orders,
    sensitivity,
    sweeps,
    train_case,
)
from econlib.decpomdp_diffusion.sensors import sensor_network

__all__ = [
    "COMBAT",
    "COMBAT_FILE",
    "FILE",
    "LARGE",
    "LARGE_FILE",
    "SETTINGS",
    "combat",
    "large",
    "main",
    "reconstruction",
]

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
#: The same for the largest network.
#:
#: :meta hide-value:
LARGE_FILE = "data/recorded/decpomdp_diffusion/large.json"
#: Sizes and training of its run.
LARGE = {
    "n_seeds": 5,
    "n_episodes": 20000,
    "n_histories": 60,
    "n_steps": 12000,
    "width": 256,
    "seed": 0,
}
#: The same for battles.
#:
#: :meta hide-value:
COMBAT_FILE = "data/recorded/decpomdp_diffusion/combat.json"
#: Sizes and training of its run.
COMBAT = {
    "n_test": 400,
    "n_seeds": 5,
    "n_steps": 8000,
    "width": 128,
    "last_noise": 0.1,
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


def large(settings: dict) -> dict:
    """Sweeps on 3x3 sensors, and whether fixed points and composite are as claimed."""
    case = train_case(sensor_network((3, 3), 2), length=4, **settings)
    row = sensitivity(case, 0.25, settings["seed"])
    return {
        "sweeps": _curves(case, settings["seed"]),
        "sensitivity": {k: _plain(v) for k, v in row.items()},
    }


def combat(settings: dict) -> dict:
    """Errors of every method on battles, by way of seeing and group of units."""
    rules, found = Battle(), {}
    training = {k: v for k, v in settings.items() if k != "n_test"}
    for variant in ("partition", "sight"):
        rng = np.random.default_rng(settings["seed"])
        held = moments(rules, combat_data.load(), variant, settings["n_test"], rng)
        answers = reconstruct(held, **training)
        groups = {
            "seen": held.alive & held.in_sight,
            "unseen": held.alive & ~held.in_sight,
        }
        found[variant] = {
            group: {
                name: dict(
                    zip(
                        ERRORS,
                        map(_plain, battle_errors(rules, held, many, units)),
                        strict=True,
                    )
                )
                for name, many in answers.items()
            }
            for group, units in groups.items()
            if units.any()
        }
    return {"errors": found}


def _curves(case, seed: int) -> dict:
    return {
        name: [_plain(row) for row in curve]
        for name, curve in sweeps(case, 0.25, 8, seed).items()
    }


def _plain(row: np.ndarray) -> list[float | None]:
    return records.digits(np.asarray(row, float), 5)


_RUNS = {
    "reconstruction": (FILE, SETTINGS, reconstruction),
    "large": (LARGE_FILE, LARGE, large),
    "combat": (COMBAT_FILE, COMBAT, combat),
}


def main(arguments: list[str]) -> None:
    """Run and write one record, by its name."""
    if len(arguments) != 1 or arguments[0] not in _RUNS:
        raise SystemExit(f"expected one name of: {', '.join(_RUNS)}")
    file, settings, run = _RUNS[arguments[0]]
    start = time.process_time()
    kept = {
        "command": f"python -m econlib.decpomdp_diffusion.record {arguments[0]}",
        "settings": settings,
        **records.provenance("numpy", "torch"),
        **run(settings),
    }
    kept["cpu_seconds"] = round(time.process_time() - start)
    records.write(file, kept)


if __name__ == "__main__":
    main(sys.argv[1:])
