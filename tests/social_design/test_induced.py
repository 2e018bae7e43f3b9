"""Votes inside the loop: counts, certified medians, all anonymous rules, errors."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from econlib.social_design import voting
from econlib.social_design.harvest import HarvestLite
from econlib.social_design.induced import (
    anonymous_census,
    induced_peaks,
    loop_manipulability,
    schedule_of_value,
    search_phantoms,
)
from econlib.social_design.majority import single_peaked
from econlib.social_design.schedules import rate_grid
from econlib.social_design.welfare import power_mean, sigma_to_p

GRID = rate_grid()
LEVELS = np.array([0.02, *np.arange(1, 11) / 10])
UTILITIES = HarvestLite().solve(GRID).values[:, 8]
PEAKED = {
    3: np.array([[2.0, 1, 0], [1, 2, 0], [0, 2, 1], [0, 1, 2]]),
    2: np.array([[1.0, 0], [0, 1]]),
}


@pytest.mark.parametrize(
    ("rule", "failures"),
    [
        (voting.median, 0),
        (voting.mean, 358),
        (voting.weighted_median_of_medians, 675),
    ],
)
def test_failures_of_the_truth_in_the_commons(rule, failures):
    found = loop_manipulability(rule, UTILITIES, LEVELS)
    assert (found.cases, found.failures) == (5324, failures)
    assert (found.gain > 0) == (failures > 0)


def test_the_reported_lie_pays_what_is_said():
    found = loop_manipulability(voting.mean, UTILITIES, LEVELS)
    peak = LEVELS[
        induced_peaks(UTILITIES[schedule_of_value(UTILITIES, LEVELS)])[found.voter]
    ]
    paid = [
        UTILITIES[
            schedule_of_value(UTILITIES, np.array([np.mean([said, *found.others])]))[0],
            found.voter,
        ]
        for said in (peak, found.lie)
    ]
    assert paid[1] - paid[0] == pytest.approx(found.gain, abs=1e-12)


def test_peaks_of_the_commons():
    by_level = UTILITIES[schedule_of_value(UTILITIES, LEVELS)]
    assert LEVELS[induced_peaks(by_level)].tolist() == [0.6, 0.02, 0.02, 0.02]
    assert single_peaked(by_level.T).all()


def test_schedules_of_values_maximise_the_objective():
    rng = np.random.default_rng(0)
    u = rng.uniform(0.1, 2, (30, 3))
    values = np.array([0.02, 0.3, 1.0, 0.3])
    rows = schedule_of_value(u, values)
    for value, row in zip(values, rows, strict=True):
        welfare = power_mean(u, float(sigma_to_p(value)))
        assert welfare[row] == pytest.approx(welfare.max(), abs=1e-9)


def test_every_phantom_median_is_sound_where_all_are_single_peaked():
    found = search_phantoms(UTILITIES, LEVELS)
    assert len(found.phantoms) == math.comb(13, 3)
    assert (found.failures == 0).all()
    best = found.phantoms[found.best]
    assert found.distance[found.best] == pytest.approx(found.distance.min())
    assert best.min() > 0.02
    assert best.max() < 1


def test_search_counts_as_the_single_census_does():
    rng = np.random.default_rng(5)
    u, levels = rng.uniform(0.2, 2.0, (12, 3)), np.linspace(0.02, 1, 6)
    found = search_phantoms(u, levels)
    for row in rng.choice(len(found.phantoms), 6, replace=False):
        phantoms = found.phantoms[row]

        def rule(r, phantoms=phantoms):
            return voting.phantom_median(r, phantoms)

        one = loop_manipulability(rule, u, levels)
        assert one.failures == found.failures[row]
        reports = levels[np.indices((6,) * 3).reshape(3, -1).T]
        gap = np.abs(rule(reports) - reports.mean(axis=1)).mean()
        assert found.distance[row] == pytest.approx(gap, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(1, 3), (2, 2), (2, 3), (3, 2), (3, 3), (4, 3)])
def test_anonymous_rules_for_single_peaked_voters_are_the_phantom_medians(n, m):
    found = anonymous_census(PEAKED[m], n)
    by_range = (math.comb(m, r) * math.comb(n + r - 2, n - 1) for r in range(1, m + 1))
    assert len(found.rules) == sum(by_range)
    tops = PEAKED[m].argmax(axis=1)[found.profiles]
    medians = {
        tuple(np.sort(np.hstack([tops, np.tile(ph, (len(tops), 1))]), axis=1)[:, n - 1])
        for ph in itertools.combinations_with_replacement(range(m), n - 1)
    }
    assert {tuple(row) for row in found.rules[found.onto].tolist()} == medians


def test_with_all_preferences_onto_rules_are_gone():
    every = np.array(list(itertools.permutations([2.0, 1.0, 0.0])))
    found = anonymous_census(every, 2)
    assert not found.onto.any()
    assert len(found.rules) == 3 + 3 * 2  # constant, or one of a pair unless both agree


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: search_phantoms(UTILITIES, np.array([0.5])), "2 or more increasing"),
        (lambda: search_phantoms(UTILITIES, np.array([0.5, 0.2])), "increasing levels"),
        (
            lambda: loop_manipulability(voting.mean, UTILITIES, np.linspace(0, 1, 400)),
            "coarser grid",
        ),
        (lambda: anonymous_census(PEAKED[3], 0), "n_voters = 0"),
        (lambda: anonymous_census(PEAKED[3], 20), "n_voters = 20"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
