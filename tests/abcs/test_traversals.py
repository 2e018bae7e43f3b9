"""The target of an update, against the formula by hand."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.abcs.config import OFFICIAL
from econlib.abcs.simulators import game
from econlib.abcs.tables import (
    ABCS,
    CORRECT,
    COUNTERS,
    MAX_CFR,
    OLD,
    UPDATED,
    make_tables,
)
from econlib.abcs.traversals import _target
from econlib.abcs.tree import kuhn


def _tables(detector: str):
    """Tables whose child of infostate 0, action 0 has a given past."""
    env = game(kuhn())
    g = make_tables(env, OFFICIAL, detector, None, np.full(2, np.inf), 1.0)
    below = next(h for h in range(env.tree.n_nodes) if env.tree.infoset[h] == 5)
    g.stack[0, 0, :2] = 0, below
    g.count[COUNTERS["iterations"]] = 7
    return g, 5


@pytest.mark.parametrize("old", [(0.5, 0.2), (0.3, 0.3), (-1.0, 0.0)])
def test_correction_is_the_current_return_of_the_greedy_action(old):
    g, t = _tables("never")
    received, times = np.array([1.5, -0.5]), np.array([4.0, 6.0])
    new = ((times - 1) * np.array(old) + received) / times
    g.stack[0, 0, OLD : OLD + 2] = old
    g.table[t, :, 0], g.table[t, :, 1] = new, times
    greedy = np.array(old) == max(old)
    expected = max(old) + (received - new)[greedy].mean()
    for method in (ABCS, MAX_CFR):
        assert _target(g, method, 0, 0, 0) == pytest.approx(expected, abs=1e-12)


def test_no_correction_when_stationary_or_already_updated():
    g, t = _tables("always")
    g.stack[0, 0, OLD : OLD + 2] = 0.5, 0.2
    g.table[t, :, :2] = 3.0
    assert _target(g, ABCS, 0, 0, 0) == 0.5  # Q-learning's target
    g, t = _tables("never")
    g.stack[0, 0, OLD : OLD + 2] = 0.5, 0.2
    g.table[t, :, :2] = 3.0
    assert _target(g, ABCS, 0, 0, 0) != 0.5
    g.memo[0, 0, UPDATED] = 7  # in this iteration
    assert _target(g, ABCS, 0, 0, 0) == 0.5
    g.number[CORRECT] = 2  # at every update
    assert _target(g, ABCS, 0, 0, 0) != 0.5
    g.number[CORRECT] = 0
    g.memo[0, 0, UPDATED] = -1
    assert _target(g, ABCS, 0, 0, 0) == 0.5
