"""How pytest runs the committed notebooks: their kernels, and what nbval compares.

nbval executes every notebook again and compares the cells tagged
``nbval-check-output``, which hold the checks of claims.  Verdict and fixed text must be
the same; what was measured is masked by ``tests/nbval_sanitize.cfg``, and the bundles
below, which carry unrounded numbers, are not compared at all.  The kernels keep their
input history, which nbval by itself has them leave out: ``parameters.validate`` reads
the parameters cell there.
"""

from __future__ import annotations

import os

import pytest
from nbval.kernel import RunningKernel

NOT_COMPARED = (
    "application/vnd.econlib.claim+json",
    "application/vnd.econlib.result+json",
    "image/png",
)


def pytest_configure(config: pytest.Config) -> None:
    """Give the kernels that nbval starts the environment of a run of the book."""
    from econlib.book.runs import KERNEL_ENVIRONMENT

    os.environ.update(KERNEL_ENVIRONMENT)
    RunningKernel.execute_cell_input = _execute


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Leave unrounded numbers and pixels out of nbval's comparison."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare = (*collector.skip_compare, *NOT_COMPARED)


def _execute(
    kernel: RunningKernel, source: str, allow_stdin: bool | None = None
) -> str:
    """Run a cell as a reader's notebook does; returns the id of the message."""
    return kernel.kc.execute(source, allow_stdin=allow_stdin, stop_on_error=False)
