"""A tiny notebook without torch, for tests of the runner."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = """\
seed: int = 0  # of nothing much; [0, 1000]
lam: float = 0.5  # a weight; [0, 1)
name: str = "uniform"  # a law; {uniform, beta}
pair: list = [0.1, 0.2]  # two numbers; [0, 1] x [0, 1]
pause: float = 0.0  # seconds of sleep; [0, 60]
fail: bool = False  # whether to fail"""

WORK = """\
import time

from econlib.book import parameters, results

parameters.validate((lam + pair[0] < 1.5, f"lam = {lam}: expected less than 1.5"))
time.sleep(pause)
if fail and seed == 1:
    raise RuntimeError("the third cell fails on purpose")
results.record(twice=2 * seed, lam=lam)"""


def write(path: Path, parameters: str | None = PARAMETERS, work: str = WORK) -> Path:
    """Write the notebook; without a parameters cell where that is None."""
    cells = [new_markdown_cell("# A demo", id="title")]
    if parameters is not None:
        cell = new_code_cell(parameters, id="parameters")
        cell.metadata["tags"] = ["parameters"]
        cells.append(cell)
    cells.append(new_code_cell(work, id="work"))
    notebook = new_notebook(cells=cells)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["kernelspec"] = kernel
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path
