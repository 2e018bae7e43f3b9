r"""Long runs of the dynamic programme over all states, kept as JSON.

``python -m econlib.sequential_auctions.dp_record B 10 10`` solves the 10,240 states of
ten buyers and ten unlike items, minutes on one core, plays the policy that comes out,
and writes ``data/recorded/sequential_auctions/full_dp_B_10x10.json``; other
settings and sizes likewise, with seeds after them.
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict

import numpy as np
import torch
from tqdm.auto import tqdm

from econlib.records import digits, provenance
from econlib.records import load as read
from econlib.records import write as save
from econlib.sequential_auctions.full_dp import full_dp
from econlib.sequential_auctions.rochet_offsets import RochetOffsetConfig
from econlib.sequential_auctions.settings import Setting
from econlib.sequential_auctions.simulator import by_state, simulate

__all__ = ["CONFIG", "PACKAGES", "load", "record", "run"]

#: Whose versions a record keeps.
PACKAGES = ("numpy", "torch", "numba")
#: How menus are trained.
CONFIG = RochetOffsetConfig(
    n_samples=512,
    n_steps=60,
    lr=0.02,
    lr_end=2e-4,
    temperature=(50.0, 120.0),
    start=0.5,
    warm=True,
    n_eval=2**13,
)


def run(
    name: str,
    n_buyers: int,
    n_items: int,
    seeds: tuple[int, ...] = (0,),
    *,
    config: RochetOffsetConfig = CONFIG,
    n_episodes: int = 200_000,
) -> dict:
    """Solve and play a setting for each seed."""
    torch.set_num_threads(1)
    setting = Setting(name, n_items)
    whole = 2**n_items - 1
    runs = []
    for seed in seeds:
        start = time.perf_counter()
        with tqdm(total=n_buyers, unit="stage", leave=False) as bar:
            found = full_dp(
                setting, n_buyers, config, seed=seed, on_stage=lambda t: bar.update()
            )
        seconds = time.perf_counter() - start
        policy = by_state(setting, found.prices[:0:-1])
        played = simulate(setting, policy, n_episodes, np.random.default_rng([seed, 3]))
        runs.append(
            {
                "seed": seed,
                "root": digits(found.values[n_buyers, [whole]])[0],
                "revenue": digits(np.array([played.revenue, played.error])),
                "by_buyers_to_come": digits(found.values[:, whole]),
                "one_buyer_by_state": digits(found.values[1]),
                "seconds": round(seconds, 1),
            }
        )
    return {
        "setting": name,
        "n_buyers": n_buyers,
        "n_items": n_items,
        "n_states": n_buyers * 2**n_items,
        "config": asdict(config),
        "episodes": n_episodes,
        **provenance(*PACKAGES),
        "command": "python -m econlib.sequential_auctions.dp_record "
        + " ".join(map(str, (name, n_buyers, n_items, *seeds))),
        "runs": runs,
    }


def record(arguments: list[str]) -> None:
    """Run a setting, named by letter, buyers and items, and write its file."""
    name, n_buyers, n_items = arguments[0], int(arguments[1]), int(arguments[2])
    seeds = tuple(map(int, arguments[3:])) or (0,)
    save(_file(name, n_buyers, n_items), run(name, n_buyers, n_items, seeds), "seed")


def load(name: str, n_buyers: int, n_items: int) -> dict:
    """Recorded run of a setting."""
    return read(_file(name, n_buyers, n_items))


def _file(name: str, n_buyers: int, n_items: int) -> str:
    size = f"{n_buyers}x{n_items}"
    return f"data/recorded/sequential_auctions/full_dp_{name}_{size}.json"


if __name__ == "__main__":
    record(sys.argv[1:])
