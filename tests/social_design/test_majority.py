"""Majorities, cycles and the mean's equilibrium against plain loops and sampling."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from econlib.social_design.majority import (
    majority_relation,
    mean_equilibrium,
    no_condorcet_winner,
    single_peaked,
    threshold_disagreement,
)
from econlib.social_design.voting import mean_threshold, phantom_median


def test_a_cycle_and_its_undefeated_set():
    cycle = majority_relation(np.array([[2.0, 1, 0], [0, 2, 1], [1, 0, 2]]))
    assert (cycle.winner, cycle.decided, cycle.cycles) == (None, 3, 1)
    assert len(cycle.undefeated) == 0
    assert cycle.margins.tolist() == [[0, 1, -1], [-1, 0, 1], [1, -1, 0]]


def test_indifferent_voters_decide_nothing():
    tie = majority_relation(np.array([[1.0, 1, 0], [0, 0, 1.0]]))
    assert (tie.winner, tie.decided, tie.undefeated.tolist()) == (None, 0, [0, 1, 2])


def test_relation_agrees_with_plain_loops():
    rng = np.random.default_rng(0)
    for n, m in ((3, 5), (4, 6), (5, 7)):
        u = rng.integers(0, 5, (n, m)).astype(float)
        found = majority_relation(u)
        beats = np.zeros((m, m), dtype=bool)
        for a, b in itertools.permutations(range(m), 2):
            beats[a, b] = sum(u[:, a] > u[:, b]) > sum(u[:, b] > u[:, a])
        triples = itertools.permutations(range(m), 3)
        cycles = sum(beats[a, b] and beats[b, c] and beats[c, a] for a, b, c in triples)
        assert found.cycles == cycles // 3
        assert found.decided == beats.sum()
        assert (np.sign(found.margins) > 0).tolist() == beats.tolist()
        best = [a for a in range(m) if beats[a].sum() == m - 1]
        assert found.winner == (best[0] if best else None)


@pytest.mark.parametrize("n, m, failures", [(3, 3, 12), (5, 3, 540), (1, 4, 0)])
def test_profiles_without_a_condorcet_winner(n, m, failures):
    assert no_condorcet_winner(n, m)[0] == failures


def test_single_peaked_utilities_have_the_median_peak_as_winner():
    rng = np.random.default_rng(1)
    line = np.linspace(0, 1, 31)
    for n in (1, 3, 7):
        peaks = rng.choice(line, n)
        slopes = rng.uniform(0.5, 2, (n, 2))
        gap = line - peaks[:, None]
        u = np.where(gap < 0, slopes[:, :1] * gap, -slopes[:, 1:] * gap)
        assert single_peaked(u).all()
        found = majority_relation(u)
        assert line[found.winner] == np.median(peaks)
        assert found.cycles == 0
    assert single_peaked(
        np.array([[0, 1, 1, 0], [1, 0, 0, 1], [3.0, 2, 1, 0]])
    ).tolist() == [
        True,
        False,
        True,
    ]


def test_equilibrium_of_the_mean_is_a_phantom_median():
    rng = np.random.default_rng(2)
    for _ in range(200):
        peaks = np.round(rng.random(rng.integers(1, 10)), 2)
        found = mean_equilibrium(peaks)
        assert found.converged and found.regret < 1e-9
        assert found.outcome == pytest.approx(phantom_median(peaks), abs=1e-9)


def test_equilibria_of_the_mean_by_hand():
    assert mean_equilibrium([0.9, 0.9, 0.1]).outcome == pytest.approx(2 / 3)
    peaks = [0.6073, 0.5384, 0.4175, 0, 0]
    assert np.mean(peaks) == pytest.approx(0.31264)
    assert mean_equilibrium(peaks).outcome == pytest.approx(0.4175)
    assert not mean_equilibrium([0.9, 0.9, 0.1], max_steps=1).converged


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_disagreement_of_mean_and_majority_agrees_with_sampling(n):
    r = np.random.default_rng(n).random((200_000, n))
    apart = mean_threshold(r) != (2 * (r > 0.5).sum(axis=1) > n)
    exact = threshold_disagreement(n)
    error = np.sqrt(exact * (1 - exact) / len(r)) + 1e-12
    assert abs(apart.mean() - exact) < 4 * error


def test_disagreement_of_three_voters_and_of_many():
    assert threshold_disagreement(3) == 1 / 8
    assert threshold_disagreement(7) == pytest.approx(0.1496, abs=0.002)
    gaps = [abs(threshold_disagreement(n) - 1 / 6) for n in (11, 51, 199)]
    assert gaps == sorted(gaps, reverse=True) and gaps[-1] < 1e-3


def test_extreme_reports_dominate_under_the_threshold():
    grid = np.linspace(0, 1, 11)
    others = np.array(list(itertools.product(grid, repeat=2)))
    outcome = np.stack(
        [mean_threshold(np.column_stack([np.full(121, r), others])) for r in grid]
    )
    assert (outcome <= outcome[-1]).all() and (outcome >= outcome[0]).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: majority_relation(np.zeros((0, 2))), r"utilities: shape \(0, 2\)"),
        (lambda: majority_relation(np.zeros((1, 2)), atol=-1), "atol = -1"),
        (lambda: single_peaked(np.array([[np.nan, 1.0]])), "expected finite numbers"),
        (lambda: single_peaked(np.zeros((1, 2)), atol=-1), "atol = -1"),
        (lambda: mean_equilibrium([1.2]), r"holds 1.2.*\[0, 1\]"),
        (lambda: mean_equilibrium([[0.1, 0.2]]), r"peaks: shape \(1, 2\)"),
        (lambda: mean_equilibrium([0.1], max_steps=0), "max_steps = 0"),
        (lambda: threshold_disagreement(0), "n = 0: expected an integer, 1 to 200"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
