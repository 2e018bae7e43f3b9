"""Run all benchmarks, or those named: ``python -m benchmarks [name ...]``."""

from __future__ import annotations

import sys

from benchmarks import (
    cfr,
    churn,
    contracts,
    diffusion,
    gemnet,
    persuasion,
    program,
    rochetnet,
    sequential,
)
from benchmarks.record import report

_ALL = {
    "rochetnet": rochetnet.measure,
    "program": program.measure,
    "cfr": cfr.measure,
    "contracts": contracts.measure,
    "churn": churn.measure,
    "diffusion": diffusion.measure,
    "sequential": sequential.measure,
    "persuasion": persuasion.measure,
    "gemnet": gemnet.measure,
}


def main(names: list[str]) -> int:
    """Run, print and keep each benchmark; returns the exit status."""
    unknown = sorted(set(names) - set(_ALL))
    if unknown:
        print(f"{unknown[0]}: no such benchmark; expected one of {', '.join(_ALL)}")
        return 2
    for name in names or _ALL:
        report(name, _ALL[name]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
