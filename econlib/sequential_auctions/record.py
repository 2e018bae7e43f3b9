r"""Long runs of the chapter, kept as JSON.

``python -m econlib.sequential_auctions.record`` makes all of them and writes
``data/recorded/sequential_auctions/<topic>.json``; topics after it make those only.

==================  ==============================================================
paper_fpi           Algorithm 4 with table 5, five by five, and A with ten items
recipe              the recipe, cells of tables 1 and 2 with ten items
ablation            the recipe on A at 8 × 8, one change at a time, three seeds
policy_gradient     PPO and SAC, every cell of tables 1 to 3, seconds stated
==================  ==============================================================
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial

from econlib.records import Shelf, digits, provenance
from econlib.sequential_auctions.fpi import (
    FPIConfig,
    evaluate,
    fitted_policy_iteration,
)
from econlib.sequential_auctions.fpi_paper import PaperConfig, paper_fpi
from econlib.sequential_auctions.settings import Setting

__all__ = ["ABLATION", "CELLS", "PACKAGES", "SHELF", "TOPICS", "load", "run"]

#: Whose versions a record keeps.
PACKAGES = ("numpy", "numba", "torch", "stable_baselines3")

#: Cells of tables 1 and 2: setting, buyers and items.
CELLS = {
    "5x5-A": ("A", 5, 5),
    "5x5-B": ("B", 5, 5),
    "5x5-C": ("C", 5, 5),
    "5x5-D": ("D", 5, 5),
    "10x10-A": ("A", 10, 10),
    "10x10-B": ("B", 10, 10),
    "10x10-C": ("C", 10, 10),
    "10x10-D": ("D", 10, 10),
    "10-E": ("E", 10, 10),
    "10-F": ("F", 10, 10),
    "20-E": ("E", 20, 10),
    "20-F": ("F", 20, 10),
}

#: The recipe's parts changed one after another; each row keeps the changes above it
#: from ``near the paper`` on.
_NEAR = {
    "critic": "network",
    "output": "flat",
    "beta": (100.0, 100.0),
    "uniform": 0.0,
    "one_step": True,
    "clip": 0.0,
}
ABLATION: dict[str, dict] = {
    "recipe": {},
    "tabular critic": {"critic": "table"},
    "inverse temperature 100": {"beta": (100.0, 100.0)},
    "flat output": {"output": "flat"},
    "quarter of the draws": {"draws": 2**13, "least_draws": 16, "most_draws": 32},
    "visited states only": {"uniform": 0.0},
    "near the paper": _NEAR,
    "32 shared draws": {**_NEAR, "shared": True, "lr_end": 1e-3, "warm_up": 0},
}

#: Cells of table 3, with entry fees.
LARGE = {"20x20": ("A", 20, 20), "50x50": ("A", 50, 50)}

_EPISODES = 50_000


def paper_runs(
    cells: tuple[str, ...] = tuple(CELLS)[:5],
    seed: int = 0,
    **changes: object,
) -> Iterator[dict]:
    """Algorithm 4 on some cells, by default five by five, and A with ten."""
    for cell in cells:
        name, n, m = CELLS[cell]
        setting = Setting(name, m)
        result = paper_fpi(
            setting, n, PaperConfig(), seed=seed, n_log=10_000, **changes
        )
        yield {"cell": cell, "seed": seed, **changes, **_kept(setting, result)}


def recipe_runs(
    cells: tuple[str, ...] = tuple(CELLS)[4:], seed: int = 0, n_iterations: int = 8
) -> Iterator[dict]:
    """The recipe with a tabular critic on the cells with ten items."""
    for cell in cells:
        name, n, m = CELLS[cell]
        setting = Setting(name, m)
        result = fitted_policy_iteration(
            setting,
            n,
            seed=seed,
            n_iterations=n_iterations,
            critic="table",
            n_log=5000,
        )
        yield {"cell": cell, "seed": seed, **_kept(setting, result)}


def _kept(setting: Setting, result: object) -> dict:
    n_test = _EPISODES if setting.name not in "EF" else _EPISODES // 5
    mean, error = evaluate(setting, result, n_test)
    return {
        "revenue": round(mean, 5),
        "error": round(error, 5),
        "visited": result.visited,
        "steps": result.steps.astype(int).tolist(),
        "seconds": digits(result.seconds, 4),
        "curve": digits(result.revenue, 5),
    }


def ablation_runs(
    seeds: tuple[int, ...] = (0, 1, 2),
    rows: tuple[str, ...] = tuple(ABLATION),
    n: int = 8,
    n_iterations: int = 10,
) -> Iterator[dict]:
    """The recipe and its changes on setting A, n buyers and items, short iterations."""
    setting = Setting("A", n)
    for seed in seeds:
        for row in rows:
            result = fitted_policy_iteration(
                setting,
                n,
                seed=seed,
                n_iterations=n_iterations,
                actor_steps=60,
                critic_steps=150,
                **ABLATION[row],
            )
            mean, error = evaluate(setting, result, _EPISODES)
            yield {
                "cell": row,
                "seed": seed,
                "revenue": round(mean, 5),
                "error": round(error, 5),
                "seconds": round(float(result.seconds[-1]), 2),
            }


def policy_gradient_runs(
    cells: tuple[str, ...] = (*CELLS, *LARGE),
    methods: tuple[str, ...] = ("ppo", "sac"),
    seconds: float | int = 6.0,
    seed: int = 0,
) -> Iterator[dict]:
    """PPO and SAC for some process seconds a cell."""
    from econlib.sequential_auctions.policy_gradient import learn

    for cell in cells:
        name, n, m = {**CELLS, **LARGE}[cell]
        for method in methods:
            result = learn(
                Setting(name, m),
                n,
                method=method,
                menu="entry_fee" if cell in LARGE else "bundles",
                seconds=seconds,
                lr=1e-3 if method == "ppo" and m == 5 else 3e-4,
                seed=seed,
                n_points=2,
                n_test=4096 if cell in LARGE else 20_000,
            )
            yield {
                "cell": cell,
                "method": method,
                "seed": seed,
                "revenue": round(result.revenue, 5),
                "error": round(result.error, 5),
                "episodes": result.n_episodes,
                "steps": result.steps.astype(int).tolist(),
                "seconds": digits(result.seconds, 4),
                "curve": digits(result.curve, 5),
            }


#: What makes the runs of each record, and its parameters.
TOPICS: dict[str, tuple[Callable[..., Iterator[dict]], dict]] = {
    "paper_fpi": (paper_runs, {"config": asdict(PaperConfig())}),
    "recipe": (
        recipe_runs,
        {
            "config": asdict(FPIConfig(n_iterations=8, critic="table")),
            "evaluation_episodes": {"A to D": _EPISODES, "E and F": _EPISODES // 5},
        },
    ),
    "policy_gradient": (
        policy_gradient_runs,
        {
            "n_envs": {"ppo": 1024, "sac": 256},
            "seconds_of_training": "6, and to the end of a batch",
            "lr": {"ppo": 3e-4, "ppo at 5x5": 1e-3, "sac": 3e-4},
            "evaluation_episodes": {"tables 1 and 2": 20_000, "table 3": 4096},
        },
    ),
    "ablation": (
        ablation_runs,
        {
            "setting": "A",
            "n": 8,
            "n_iterations": 10,
            "config": asdict(FPIConfig(actor_steps=60, critic_steps=150)),
        },
    ),
}

#: The records, by topic.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/sequential_auctions/{}.json", TOPICS, "cell", "topic")
load = SHELF.load


def run(topic: str, keep: Callable[[dict], None] | None = None, **changes) -> dict:
    """Make the runs of a record; ``keep`` is called with it after each of them.

    Raises
    ------
    ValueError
        An unknown topic.
    """
    make, parameters = TOPICS[SHELF.known(topic)]
    kept = {
        "topic": topic,
        "evaluation_episodes": _EPISODES,
        **parameters,
        "seconds": 0.0,
        **provenance(*PACKAGES),
        "command": f"python -m econlib.sequential_auctions.record {topic}",
        "runs": [],
    }
    start = time.process_time()
    for one in make(**changes):
        kept["runs"].append(one)
        kept["seconds"] = round(time.process_time() - start, 1)
        if keep is not None:
            keep(kept)
    return kept


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    for name in [SHELF.known(name) for name in sys.argv[1:]] or list(TOPICS):
        run(name, partial(SHELF.save, name))
