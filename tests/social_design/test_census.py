"""Counts of manipulable profiles against plain loops, other packages and records."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from econlib.social_design.ballots import ORDINAL, majority_margins, plurality
from econlib.social_design.census import (
    all_profiles,
    line_manipulability,
    manipulability,
    sampled_line_manipulability,
    sampled_manipulability,
)
from econlib.social_design.voting import mean, median, weighted_median_of_medians

RECORD = Path(__file__).parents[2] / "data/recorded/social_design/pref_voting.json"


@pytest.mark.parametrize(
    "rule, n, profiles, pairs",
    [
        ("plurality", 3, 36, 48),
        ("borda", 3, 51, 60),
        ("copeland", 3, 24, 24),
        ("irv", 3, 24, 24),
        ("plurality", 4, 240, 288),
        ("borda", 4, 402, 636),
        ("copeland", 4, 384, 528),
        ("irv", 4, 120, 192),
        ("plurality", 5, 1800, 2400),
        ("borda", 5, 2220, 3720),
        ("copeland", 5, 1080, 1320),
        ("irv", 5, 720, 1440),
        ("dictatorship", 3, 0, 0),
        ("dictatorship", 5, 0, 0),
    ],
)
def test_manipulable_profiles_of_three_alternatives(rule, n, profiles, pairs):
    found = manipulability(ORDINAL[rule], n, 3)
    assert (found.n_profiles, found.profiles, found.pairs) == (6**n, profiles, pairs)
    assert found.share == pytest.approx(profiles / 6**n)


@pytest.mark.parametrize("n, m", [(1, 3), (2, 4), (3, 2), (3, 3)])
def test_manipulability_agrees_with_trying_every_misreport(n, m):
    rankings = list(itertools.permutations(range(m)))
    for rule in ORDINAL.values():
        profiles = pairs = 0
        for profile in itertools.product(rankings, repeat=n):
            honest = int(rule([list(b) for b in profile]))
            gainers = 0
            for i, truth in enumerate(profile):
                lies = [(*profile[:i], lie, *profile[i + 1 :]) for lie in rankings]
                places = [truth.index(w) for w in rule(lies).tolist()]
                gainers += min(places) < truth.index(honest)
            profiles += gainers > 0
            pairs += gainers
        found = manipulability(rule, n, m)
        assert (found.profiles, found.pairs) == (profiles, pairs)


def test_our_rules_agree_with_those_recorded_from_pref_voting():
    record = json.loads(RECORD.read_text())
    assert record["versions"]["pref_voting"] == "1.18.2"
    profiles = all_profiles(3, 3)
    for name in ("plurality", "borda", "copeland", "irv"):
        assert ORDINAL[name](profiles).tolist() == record["winners"][name]
        ours = manipulability(ORDINAL[name], 3, 3).profiles
        assert ours == record["manipulable"][name]
    beats = (majority_margins(profiles) > 0).sum(axis=-1) == 2
    winner = np.where(beats.any(axis=-1), beats.argmax(axis=-1), -1)
    assert winner.tolist() == record["winners"]["condorcet"]
    assert len(record["larger"]) == 300
    for row in record["larger"]:
        for name in ("plurality", "borda", "copeland", "irv"):
            assert ORDINAL[name](row["ballots"]) == row[name]


def test_sampling_agrees_with_the_exhaustive_share():
    for name in ("plurality", "borda", "irv"):
        found = sampled_manipulability(
            ORDINAL[name], 4, 3, 4000, np.random.default_rng(1)
        )
        exact = manipulability(ORDINAL[name], 4, 3)
        assert abs(found.share - exact.share) < 4 * found.share_se
        assert found.pairs >= found.profiles > 0


def test_the_official_rule_is_manipulable_at_even_and_not_at_odd_numbers():
    grid = np.linspace(0, 1, 11)
    three = line_manipulability(weighted_median_of_medians, 3, grid)
    assert (three.n_profiles, three.profiles, three.off_median) == (1331, 0, 0)
    five = line_manipulability(weighted_median_of_medians, 5, np.linspace(0, 1, 8))
    assert (five.n_profiles, five.profiles, five.off_median) == (32768, 0, 0)
    four = line_manipulability(weighted_median_of_medians, 4, grid)
    assert (four.n_profiles, four.profiles, four.off_median) == (14641, 5082, 8976)
    assert four.largest_gain == pytest.approx(0.7)
    # two who care for nobody else and two who care for all others alike
    assert weighted_median_of_medians([0, 0, 1, 1]) == 1 and four.largest_gap == 1


def test_line_census_agrees_with_plain_loops():
    grid = np.array([0.0, 0.3, 0.5, 1.0])
    for rule in (mean, median, weighted_median_of_medians):
        profiles = pairs = 0
        for peaks in itertools.product(grid, repeat=2):
            gainers = 0
            for i in range(2):
                loss = [
                    abs(float(rule([*peaks[:i], lie, *peaks[i + 1 :]])) - peaks[i])
                    for lie in grid
                ]
                gainers += min(loss) < abs(float(rule(list(peaks))) - peaks[i]) - 1e-9
            profiles += gainers > 0
            pairs += gainers
        found = line_manipulability(rule, 2, grid)
        assert (found.profiles, found.pairs) == (profiles, pairs)


def test_medians_cannot_be_manipulated_in_samples_either():
    grid = np.linspace(0, 1, 11)
    rng = np.random.default_rng(2)
    for n in (2, 6, 7):
        assert sampled_line_manipulability(median, n, grid, 300, rng).profiles == 0
    official = sampled_line_manipulability(
        weighted_median_of_medians, 4, np.linspace(0, 1, 21), 2000, rng
    )
    share = official.off_median / official.n_profiles
    assert share == pytest.approx(0.688, abs=0.05)  # 400 draws have an error of 0.023
    assert official.share == pytest.approx(0.427, abs=0.06)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: all_profiles(0, 3), "n = 0: expected an integer of 1 or more"),
        (lambda: all_profiles(3, True), "m = True"),
        (lambda: all_profiles(5, 4), r"n = 5, m = 4: .*Try sampled_manipulability"),
        (lambda: manipulability(lambda b: b[:, 0], 2, 3), "rule: expected one winner"),
        (lambda: line_manipulability(mean, 2, np.array([1.0, 0.0])), "increasing"),
        (lambda: line_manipulability(mean, 9, np.linspace(0, 1, 11)), "11 levels"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_samples_out_of_range_are_named():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="m = 7"):
        sampled_manipulability(plurality, 3, 7, 10, rng)
    with pytest.raises(ValueError, match="n_samples = 0"):
        sampled_line_manipulability(mean, 3, np.linspace(0, 1, 3), 0, rng)
