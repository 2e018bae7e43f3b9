r"""Long runs of the chapter, kept as JSON.

``python -m econlib.sequential_auctions.record`` makes all of them and writes
``data/recorded/sequential_auctions/<topic>.json``; topics after it make those only.

==================  ==============================================================
paper_fpi           Algorithm 4 with table 5, every cell of tables 1 and 2
ablation            the recipe on A at 10 × 10, one change at a time, three seeds
policy_gradient     PPO and SAC, every cell of tables 1 to 3, seconds stated
entry_fees          fitted policy iteration with entry fees, both cells of table 3
==================  ==============================================================
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict

from econlib.records import digits, provenance
from econlib.records import load as read
from econlib.records import write as save
from econlib.sequential_auctions.fpi import (
    FPIConfig,
    evaluate,
    fitted_policy_iteration,
)
from econlib.sequential_auctions.fpi_paper import PaperConfig, paper_fpi
from econlib.sequential_auctions.settings import Setting

__all__ = ["ABLATION", "CELLS", "PACKAGES", "TOPICS", "load", "record", "run"]

#: Whose versions a record keeps.
PACKAGES = ("numpy", "numba", "torch")

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

_EPISODES = 50_000


def paper_runs(cells: tuple[str, ...] = tuple(CELLS), seed: int = 0, **changes) -> list:
    """Algorithm 4 on some cells; setting F with ten times the actor's step."""
    return [_paper_run(cell, seed, **changes) for cell in cells]


def _paper_run(cell: str, seed: int, **changes: object) -> dict:
    name, n, m = CELLS[cell]
    if name == "F":
        changes = {"lr_actor": 1e-3, **changes}
    setting = Setting(name, m)
    result = paper_fpi(setting, n, PaperConfig(), seed=seed, n_log=10_000, **changes)
    return {"cell": cell, "seed": seed, **changes, **_kept(setting, result)}


def _kept(setting: Setting, result: object) -> dict:
    mean, error = evaluate(setting, result, _EPISODES)
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
    n: int = 10,
    n_iterations: int = 8,
) -> list:
    """The recipe and its changes on setting A, n buyers and items."""
    setting = Setting("A", n)
    kept = []
    for row in rows:
        for seed in seeds:
            result = fitted_policy_iteration(
                setting, n, seed=seed, n_iterations=n_iterations, **ABLATION[row]
            )
            mean, error = evaluate(setting, result, _EPISODES)
            kept.append(
                {
                    "row": row,
                    "seed": seed,
                    "revenue": round(mean, 5),
                    "error": round(error, 5),
                    "seconds": round(float(result.seconds[-1]), 2),
                }
            )
    return kept


#: What makes the runs of each record, and its parameters.
TOPICS: dict[str, tuple[Callable[..., list], dict]] = {
    "paper_fpi": (paper_runs, {"config": asdict(PaperConfig())}),
    "ablation": (
        ablation_runs,
        {"setting": "A", "n": 10, "n_iterations": 8, "config": asdict(FPIConfig())},
    ),
}


def run(topic: str, **changes: object) -> dict:
    """Make the runs of a record.

    Raises
    ------
    ValueError
        An unknown topic.
    """
    make, parameters = TOPICS[_known(topic)]
    start = time.process_time()
    runs = make(**changes)
    return {
        "topic": topic,
        **parameters,
        "evaluation_episodes": _EPISODES,
        "seconds": round(time.process_time() - start, 1),
        **provenance(*PACKAGES),
        "command": f"python -m econlib.sequential_auctions.record {topic}",
        "runs": runs,
    }


def record(topics: list[str]) -> None:
    """Make records, all where none is named, and write their files."""
    for topic in topics or list(TOPICS):
        save(_file(topic), run(topic), row=None if topic == "ablation" else "cell")


def load(topic: str) -> dict:
    """A record."""
    return read(_file(topic))


def _file(topic: str) -> str:
    return f"data/recorded/sequential_auctions/{_known(topic)}.json"


def _known(topic: str) -> str:
    if topic not in TOPICS:
        raise ValueError(f"topic = {topic!r}: expected one of {', '.join(TOPICS)}")
    return topic


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    record(sys.argv[1:])
