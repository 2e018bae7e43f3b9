"""All strategy-proof and all independent rules, against theorems and plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from econlib.social_design import impossibility as module
from econlib.social_design.census import all_profiles, manipulability
from econlib.social_design.impossibility import (
    IIACensus,
    iia_census,
    iia_count,
    models,
    strategyproof_census,
    strategyproof_count,
)


@pytest.mark.parametrize(
    "n, m", [(1, 3), (2, 2), (3, 2), (4, 2), (2, 3), (3, 3), (2, 4)]
)
def test_strategy_proof_rules_are_those_of_the_theorem(n, m):
    found = strategyproof_census(n, m)
    assert len(found.rules) == strategyproof_count(n, m)
    assert found.dictators.sum() == n
    if m >= 3:  # Gibbard and Satterthwaite: those onto are the dictators
        assert ((found.range_sizes == m) == found.dictators).all()
    profiles = all_profiles(n, m)
    for rule in found.rules[:: max(1, len(found.rules) // 20)]:
        assert manipulability(lambda b, rule=rule: rule, n, m).profiles == 0
    dictators = {tuple(profiles[:, i, 0]) for i in range(n)}
    assert {tuple(r) for r in found.rules[found.dictators]} == dictators


def test_census_of_two_and_three_voters_by_range():
    assert strategyproof_census(2, 3).by_range() == {1: 3, 2: 12, 3: 2}
    assert strategyproof_census(3, 3).by_range() == {1: 3, 2: 54, 3: 3}


def test_dedekind_numbers_by_counting_monotone_functions():
    for n in range(4):
        points = list(itertools.product((0, 1), repeat=n))
        count = 0
        for values in itertools.product((0, 1), repeat=len(points)):
            f = dict(zip(points, values, strict=True))
            count += all(
                f[p] <= f[q]
                for p in points
                for q in points
                if all(a <= b for a, b in zip(p, q, strict=True))
            )
        assert count == module.DEDEKIND[n]


def test_independent_rules_of_two_voters_by_trying_all_triples():
    profiles = np.argsort(all_profiles(2, 3), axis=-1)
    votes = profiles < np.roll(profiles, -1, axis=-1)
    pattern = votes[:, 0] + 2 * votes[:, 1]
    tables = (np.arange(16)[:, None] >> np.arange(4)) & 1
    count = unanimous = 0
    for f, g, h in itertools.product(tables, repeat=3):
        sides = f[pattern[:, 0]] + g[pattern[:, 1]] + h[pattern[:, 2]]
        good = ((sides > 0) & (sides < 3)).all()
        count += good
        unanimous += good and all(t[3] and not t[0] for t in (f, g, h))
    assert iia_census(2) == IIACensus(int(count), int(unanimous), 2)
    assert (count, unanimous) == (94, 2)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_independent_and_unanimous_rules_are_the_dictators(n):
    assert iia_census(n) == IIACensus(iia_count(n), n, n)


def test_models_are_those_that_plain_search_finds():
    clauses = [[-1, -5], [3, 6], [-2, -4]]
    found = set(models(iter(clauses), 3, 2))

    def true(v: int, picks: tuple[int, ...]) -> bool:
        return picks[(abs(v) - 1) // 2] == (abs(v) - 1) % 2

    expected = {
        picks
        for picks in itertools.product(range(2), repeat=3)
        if all(any(true(v, picks) == (v > 0) for v in c) for c in clauses)
    }
    assert found == expected
    assert 0 < len(expected) < 8


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: strategyproof_census(5, 3), r"n = 5, m = 3: too many"),
        (lambda: strategyproof_census(6, 2), r"n = 6, m = 2: too many"),
        (lambda: strategyproof_count(7, 2), "n = 7: expected at most 6"),
        (lambda: iia_census(4), "n = 4: expected an integer, 1 to 3"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
