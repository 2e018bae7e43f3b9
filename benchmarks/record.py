"""What a benchmark keeps: seconds of both sides, their ratio, machine and versions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from econlib.records import provenance, write

__all__ = ["Timing", "alternate", "report"]

_PACKAGES = (
    "torch",
    "numpy",
    "highspy",
    "cvxpy",
    "numba",
    "open_spiel",
    "quantecon",
    "scikit-learn",
)


@dataclass(frozen=True)
class Timing:
    """One comparison.

    Attributes
    ----------
    task : str
        What both sides do, and when they stop.
    ours, peer : list of float
        Seconds of each run, taken in turn; warm-up not among them.
    ours_is, peer_is : str
        What runs.
    quality : dict
        What both sides reached.
    """

    task: str
    ours_is: str
    peer_is: str
    ours: list[float]
    peer: list[float]
    quality: dict


def alternate(
    sides: dict[str, Callable[[], object]], n_runs: int, *, warm_up: bool = False
) -> dict[str, list[float]]:
    """Seconds of each side, taken in turn.

    Parameters
    ----------
    sides : dict
        What runs, by name; as ``ours`` and ``peer`` it fills a :class:`Timing`.
    n_runs : int
        Rounds, 1 or more.
    warm_up : bool
        Whether a round that is not counted comes first; not needed where both sides
        have run before, to compare their results.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for k in range(-int(warm_up), n_runs):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            if k >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def report(name: str, timings: list[Timing]) -> None:
    """Print each comparison and write ``benchmarks/results/<name>.json``."""
    rows = []
    for timing in timings:
        ours, peer = np.array(timing.ours), np.array(timing.peer)
        ratio = np.median(peer) / np.median(ours)
        print(
            f"{timing.task}\n  ours {np.median(ours):.3g} s "
            f"({ours.min():.3g} to {ours.max():.3g}), peer {np.median(peer):.3g} s "
            f"({peer.min():.3g} to {peer.max():.3g}): {ratio:.1f} times as fast"
        )
        rows.append({**asdict(timing), "ratio_of_medians": float(ratio)})
    kept = {"benchmark": name, **provenance(*_PACKAGES), "timings": rows}
    write(f"benchmarks/results/{name}.json", kept)
