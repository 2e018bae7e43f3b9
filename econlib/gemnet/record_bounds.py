"""Upper bounds on finer grids, kept as JSON.

``python -m econlib.gemnet.record_bounds`` looks for flows on 16 cells an item (12 where
bidders or densities differ) and writes ``data/recorded/gemnet/bounds/<market>.json``,
about ten minutes on one core; names of markets after it run those only.
"""

from __future__ import annotations

import sys
import time

import torch

from econlib.gemnet.flows import tighten
from econlib.gemnet.laws import LAWS, market
from econlib.records import Shelf, provenance

__all__ = ["CELLS", "SHELF", "load", "run"]

#: Cells of an item's values, by market.
CELLS = {"u01": 16, "beta12": 16, "irregular": 12, "asymmetric": 12}
_STEPS, _PARTS = 800, 32

#: The records, by market.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/gemnet/bounds/{}.json", LAWS, "step", "market")
load = SHELF.load


def run(name: str, cells: int | None = None, steps: int = _STEPS) -> dict:
    """Bound the revenue of one market.

    Parameters
    ----------
    name : str
        One of :data:`econlib.gemnet.laws.LAWS`.
    cells : int, optional
        In place of those of the recorded run.
    steps : int
        Of Adam.

    Returns
    -------
    dict
        Parameters, the bound in money (by floats, and as a fraction where all values
        are uniform), every fiftieth point of the curve, seconds, versions and command.

    Raises
    ------
    ValueError
        An unknown market.
    """
    m = market(SHELF.known(name))
    cells = CELLS[name] if cells is None else cells
    torch.set_num_threads(1)
    began = time.process_time()
    laws = (m.first, m.second)
    found = tighten(laws, cells=cells, steps=steps, ironing=name == "irregular")
    kept = {
        "market": name,
        "cells": cells,
        "steps": steps,
        "parts": _PARTS,
        "bound": m.unit * found.bound.revenue(_PARTS),
    }
    if name in ("u01", "asymmetric"):
        exact = int(m.unit) * found.bound.exact(_PARTS)
        kept["fraction"] = f"{exact.numerator}/{exact.denominator}"
    curve = found.curve[::50].tolist()
    return kept | {
        "runs": [
            {"step": 50 * i, "sampled": round(m.unit * b, 6)}
            for i, b in enumerate(curve)
        ],
        "cpu_seconds": round(time.process_time() - began, 1),
        **provenance("numpy", "torch"),
        "command": f"python -m econlib.gemnet.record_bounds {name}",
    }


if __name__ == "__main__":
    SHELF.record(run, sys.argv[1:])
