"""Ordinal rules against hand counts, plain loops and the whalrus package."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import whalrus

from econlib.social_design.ballots import (
    ORDINAL,
    borda,
    copeland,
    dictatorship,
    irv,
    majority_margins,
    plurality,
)

RANKINGS = np.array(list(itertools.permutations(range(3))))
PROFILES = RANKINGS[np.array(list(itertools.product(range(6), repeat=3)))]


def plain_irv(profile):
    left = list(range(profile.shape[1]))
    while len(left) > 1:
        counts = {a: 0 for a in left}
        for ballot in profile:
            counts[next(a for a in ballot if a in left)] += 1
        fewest = min(counts.values())
        left.remove(max(a for a in left if counts[a] == fewest))
    return left[0]


def plain_copeland(profile):
    m = profile.shape[1]
    above = [
        [sum(list(b).index(a) < list(b).index(c) for b in profile) for c in range(m)]
        for a in range(m)
    ]
    scores = [
        sum(
            (above[a][c] > above[c][a]) + 0.5 * (above[a][c] == above[c][a])
            for c in range(m)
            if c != a
        )
        for a in range(m)
    ]
    return scores.index(max(scores))


def test_rules_on_one_profile_by_hand():
    # 4 voters a > b > c, 3 voters b > c > a, 2 voters c > b > a
    profile = np.array([[0, 1, 2]] * 4 + [[1, 2, 0]] * 3 + [[2, 1, 0]] * 2)
    assert plurality(profile) == 0
    assert borda(profile) == 1
    assert copeland(profile) == 1
    assert irv(profile) == 1
    assert [dictatorship(profile, i) for i in (0, 4, 8)] == [0, 1, 2]
    assert majority_margins(profile).tolist() == [[0, -1, -1], [1, 0, 5], [1, -5, 0]]


def test_ties_go_to_the_lowest_index_and_irv_drops_the_highest():
    cycle = np.array([[1, 2, 0], [2, 0, 1], [0, 1, 2]])
    assert plurality(cycle) == borda(cycle) == copeland(cycle) == 0
    # 2 is dropped first of three with one place each; its voter's next choice is 0
    assert irv(cycle) == 0
    assert irv(np.array([[1, 0, 2], [0, 1, 2]])) == 0


@pytest.mark.parametrize("n, m", [(1, 1), (2, 2), (4, 3), (5, 4), (7, 5), (6, 6)])
def test_vectorised_rules_agree_with_plain_loops(n, m):
    rng = np.random.default_rng(n * m)
    profiles = rng.permuted(np.tile(np.arange(m), (60, n, 1)), axis=-1)
    assert irv(profiles).tolist() == [plain_irv(p) for p in profiles]
    assert copeland(profiles).tolist() == [plain_copeland(p) for p in profiles]
    shaped = profiles.reshape(3, 4, 5, n, m)
    for rule in ORDINAL.values():
        assert (rule(shaped).ravel() == rule(profiles)).all()
        assert rule(profiles[0]) == rule(profiles)[0]


def test_rules_agree_with_whalrus_on_all_profiles():
    peers = {
        "plurality": lambda b: whalrus.RulePlurality(b, tie_break=first),
        "borda": lambda b: whalrus.RuleBorda(b, tie_break=first),
        "copeland": lambda b: whalrus.RuleCopeland(b, tie_break=first),
        "irv": lambda b: whalrus.RuleIRV(b, tie_break=first),
    }
    first = whalrus.Priority.ASCENDING
    letters = np.array(["a", "b", "c"])
    for name, peer in peers.items():
        ours = ORDINAL[name](PROFILES)
        for profile, winner in zip(PROFILES, ours, strict=True):
            theirs = peer([" > ".join(letters[row]) for row in profile]).winner_
            assert theirs == letters[winner], (name, profile.tolist())


def test_rules_treat_voters_alike_and_a_unanimous_ballot_wins():
    rng = np.random.default_rng(0)
    profiles = rng.permuted(np.tile(np.arange(4), (50, 6, 1)), axis=-1)
    mixed = profiles[:, rng.permutation(6)]
    same = np.repeat(profiles[:, :1], 6, axis=1)
    for name, rule in ORDINAL.items():
        assert (rule(same) == same[:, 0, 0]).all()
        if name != "dictatorship":
            assert (rule(mixed) == rule(profiles)).all()


@pytest.mark.parametrize("rule", ORDINAL.values())
@pytest.mark.parametrize(
    "ballots, message",
    [
        ([[0, 1, 2], [0, 0, 1]], r"ballots holds \[0, 0, 1\].*0 to 2 once"),
        ([[0, 1], [0, 1, 2]], "must rank the same number"),
        ([0, 1, 2], r"shape \(3,\), expected \(\.\.\., n, m\)"),
        ([[1, 2, 3]], r"ballots holds \[1, 2, 3\]"),
        ([[0.5, 1.0]], r"ballots holds \[0.5, 1.0\]"),
        (np.zeros((0, 3), int), "n and m of 1 or more"),
    ],
)
def test_ballots_that_are_no_rankings_are_named(rule, ballots, message):
    with pytest.raises(ValueError, match=message):
        rule(ballots)


@pytest.mark.parametrize("voter", [-1, 3, True])
def test_a_dictator_who_does_not_vote_is_named(voter):
    with pytest.raises(ValueError, match=r"voter = .*0 to 2"):
        dictatorship(PROFILES, voter)
