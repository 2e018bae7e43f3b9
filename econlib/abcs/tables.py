"""What a run learns and remembers: few large arrays for compiled traversals.

Compiled calls are slow to compile and to make with many arguments, so that all arrays
of a run are one tuple, and their planes and places have the names below.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from econlib.abcs.config import CORRECTIONS, Config
from econlib.abcs.detection import HASH, N_LABELS
from econlib.abcs.simulators import Environment

__all__ = ["COUNTERS", "Tables", "make_tables"]

ABCS, MAX_CFR, ES, OS, BQL, ES_RM = 0, 1, 2, 3, 4, 5
#: Planes of ``table``: mean value, count, policy sum.
Q, N, C = 0, 1, 2
#: Planes of ``memo``: labels seen, verdict and when it was given, last iterations that
#: recursed and that updated, verdict of a fixed detector, nodes touched when a test
#: first flagged.
SEEN, VERDICT, GIVEN, EXPANDED, UPDATED, FIXED, FLAGGED = 0, 1, 2, 3, 4, 5, 6
#: Places of ``stack[depth, action]`` behind the state: reward, whether it ended,
#: policy, values of the child's actions before the recursion.
REWARD, OVER, POLICY, OLD = 7, 8, 9, 10
#: Places of ``number``.
CODE, LEAST, CLEAR, COOL_A, COOL_B, EVERY, MIX, STEP, LOG, TAU_A, TAU_B = range(11)
CORRECT = 11
#: Places of ``count``.
COUNTERS = {
    "nodes": 0,
    "iterations": 1,
    "stationary cart": 2,
    "nonstationary cart": 3,
    "stationary": 4,
    "nonstationary": 5,
    "followed": 6,
    "left": 7,
    "tests": 8,
    "epoch": 9,
    "raw labels": 10,
    "fell": 11,
}
NODES, ITER, JUDGED, FOLLOWED, TESTS, EPOCH, FRESH, FELL = 0, 1, 2, 6, 8, 9, 10, 11


class Tables(NamedTuple):
    """A simulator's arrays, and what a run learns and remembers.

    Attributes
    ----------
    nodes, reals, first, start, rules : ndarray
        The simulator.
    table : ndarray, shape (n_infosets, n_actions, 3)
        :math:`Q,N,C`.
    memo : ndarray of int64, shape (n_infosets, n_actions, 7)
        Counts, verdicts and marks.
    ring : ndarray of int32, shape (n_infosets, n_actions, buffer)
        Labels for the chi-squared test.
    bets : ndarray, shape (n_infosets, n_actions, n_places)
        Sequential tests.
    scratch, critical : ndarray
        Hash table, and quantiles by degrees of freedom.
    stack : ndarray, shape (depth + 1, n_actions + 1, 10 + n_actions)
        Children of the nodes of the current path, the node itself in the last column;
        the last row is the other player's.
    n_actions : ndarray of int64, shape (n_infosets,)
    number : ndarray
        Hyper-parameters and the two temperatures.
    count : ndarray of int64
        Counters.
    """

    nodes: np.ndarray
    reals: np.ndarray
    first: np.ndarray
    start: np.ndarray
    rules: np.ndarray
    table: np.ndarray
    memo: np.ndarray
    ring: np.ndarray
    bets: np.ndarray
    scratch: np.ndarray
    critical: np.ndarray
    stack: np.ndarray
    n_actions: np.ndarray
    number: np.ndarray
    count: np.ndarray


def make_tables(
    env: Environment,
    config: Config,
    detector: str,
    fixed: np.ndarray | None,
    critical: np.ndarray,
    threshold: float,
    correction: str = "first",
) -> Tables:
    """Fresh tables for one run; ``threshold`` is the sequential test's, in logs."""
    n, a = len(env.n_actions), int(env.n_actions.max())
    memo = np.zeros((n, a, 7), dtype=np.int64)
    memo[:, :, [GIVEN, EXPANDED, UPDATED, FLAGGED]] = -1
    memo[:, :, FIXED] = 2 if detector == "never" else 1
    if detector == "oracle":
        memo[:, :, FIXED] = np.where(fixed, 1, 2)
    ring = (n, a, config.buffer) if detector == "chi2" else (1, 1, 1)
    bets = (n, a, 6 + 5 * N_LABELS) if detector == "sequential" else (1, 1, 1)
    number = [
        {"chi2": 1, "sequential": 2}.get(detector, 0),
        config.min_samples,
        config.cache_clear,
        config.decay_abcs,
        config.decay_bql,
        config.decay_every,
        config.os_epsilon,
        config.bql_step,
        threshold,
        config.temperature,
        config.temperature,
        CORRECTIONS.index(correction),
    ]
    return Tables(
        *env.simulator,
        table=np.zeros((n, a, 3)),
        memo=memo,
        ring=np.zeros(ring, dtype=np.int32),
        bets=np.zeros(bets),
        scratch=np.full((5, HASH), -1, dtype=np.int64),
        critical=critical,
        stack=np.zeros((env.depth + 1, a + 1, OLD + a)),
        n_actions=env.n_actions.astype(np.int64),
        number=np.array(number, dtype=float),
        count=np.zeros(len(COUNTERS), dtype=np.int64),
    )
