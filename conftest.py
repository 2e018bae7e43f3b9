"""How pytest runs the committed notebooks: their kernels, and what nbval compares.

nbval executes every notebook again and compares the cells tagged
``nbval-check-output``, which hold the checks of claims.  Verdict and fixed text must be
the same; what was measured is masked by ``tests/nbval_sanitize.cfg``, and the bundles
below, which carry unrounded numbers, are not compared at all.
"""

from __future__ import annotations

import os

import pytest

NOT_COMPARED = (
    "application/vnd.econlib.claim+json",
    "application/vnd.econlib.result+json",
    "image/png",
)


def pytest_configure(config: pytest.Config) -> None:
    """Give the kernels that nbval starts the environment of a run of the book."""
    from econlib.book.runs import KERNEL_ENVIRONMENT

    os.environ.update(KERNEL_ENVIRONMENT)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Leave unrounded numbers and pixels out of nbval's comparison."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare = (*collector.skip_compare, *NOT_COMPARED)
