"""What a benchmark keeps: seconds of both sides, their ratio, machine and versions."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

__all__ = ["Timing", "report"]

_ROOT = Path(__file__).resolve().parents[1]
_FOLDER = _ROOT / "benchmarks" / "results"


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
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
    ).stdout.strip()
    kept = {
        "benchmark": name,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread used",
        "python": platform.python_version(),
        "versions": {
            k: version(k)
            for k in ("torch", "numpy", "highspy", "cvxpy", "numba", "open_spiel")
        },
        "commit": commit,
        "timings": rows,
    }
    _FOLDER.mkdir(parents=True, exist_ok=True)
    path = _FOLDER / f"{name}.json"
    fresh = path.with_suffix(".part")
    fresh.write_text(json.dumps(kept, indent=1) + "\n")
    os.replace(fresh, path)
