"""Rules on the line, and taxes from a vote, against plain loops and hand counts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from econlib.social_design.voting import (
    SCALAR,
    apple_tax,
    mean,
    mean_threshold,
    median,
    phantom_median,
    vote_schedule,
    weighted_median_of_medians,
)


def plain_weighted_medians(reports):
    """The rule by writing every repetition out."""
    n, amended = len(reports), []
    for i, own in enumerate(reports):
        pool = []
        for j, report in enumerate(reports):
            weight = own if i == j else (1 - own) / (n - 1)
            pool += [report] * int(1000 * weight + 1e-9)
        pool.sort()
        amended.append(pool[(len(pool) - 1) // 2])
    return sorted(amended)[(n - 1) // 2]


def test_rules_on_a_few_reports_by_hand():
    assert mean([0.9, 0.9, 0.1]) == pytest.approx(0.633333, abs=1e-6)
    assert median([0.9, 0.9, 0.1]) == 0.9
    assert median([4.0, 1.0, 2.0, 3.0]) == 2.0
    assert phantom_median([0.9, 0.9, 0.1]) == pytest.approx(2 / 3)
    assert phantom_median([0.2, 0.7], phantoms=[-np.inf]) == 0.2
    assert phantom_median([0.2, 0.7], phantoms=[np.inf]) == 0.7
    assert phantom_median([0.2, 0.7, 0.1], [0.0, 1.0]) == 0.2


def test_phantoms_at_k_over_n_need_no_ends_within_the_unit_interval():
    r = np.random.default_rng(0).random((200, 5))
    assert (phantom_median(r) == phantom_median(r, np.arange(1, 5) / 5)).all()


def test_the_official_rule_at_four_voters_by_hand():
    assert weighted_median_of_medians([0, 0.3, 1, 1]) == 1.0
    assert weighted_median_of_medians([0.3, 0.3, 1, 1]) == 0.3
    assert median([0, 0.3, 1, 1]) == 0.3


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 9])
def test_the_official_rule_agrees_with_repetitions_written_out(n):
    rng = np.random.default_rng(n)
    reports = np.round(rng.random((80, n)), 2 if n % 2 else 3)
    reports[:10] = np.round(reports[:10])  # ends, where weights vanish
    if n == 1:
        assert (weighted_median_of_medians(reports) == reports[:, 0]).all()
        return
    ours = weighted_median_of_medians(reports)
    assert ours.tolist() == [plain_weighted_medians(r.tolist()) for r in reports]


@pytest.mark.parametrize("n, levels", [(3, 11), (5, 6)])
@pytest.mark.parametrize("resolution", [1000, None])
def test_for_odd_numbers_the_official_rule_is_the_median(n, levels, resolution):
    grid = np.linspace(0, 1, levels)
    profiles = grid[np.array(list(itertools.product(range(levels), repeat=n)))]
    ours = weighted_median_of_medians(profiles, resolution)
    assert (ours == median(profiles)).all()


def test_exact_weights_serve_large_societies_that_repetitions_cannot():
    reports = np.zeros(2001)
    reports[:1200] = 0.4
    assert weighted_median_of_medians(reports, None) == 0.4
    with pytest.raises(ValueError, match=r"2001 voters, .* Try resolution=None"):
        weighted_median_of_medians(reports)


def test_mean_threshold_and_its_tie():
    assert mean_threshold([0.2, 0.9]) == True  # noqa: E712
    assert not mean_threshold([0.1, 0.9])
    assert not mean_threshold([0.3, 0.7, 0.5])
    votes = np.array([[0.6, 0.6, 0.4], [0.0, 0.0, 1.0]])
    assert mean_threshold(votes).tolist() == [True, False]
    assert mean_threshold(votes, threshold=0.3).tolist() == [True, True]


def test_rules_are_anonymous_unanimous_and_keep_leading_dimensions():
    rng = np.random.default_rng(3)
    for n in (3, 4):
        reports = np.round(rng.random((4, 6, n)), 1)
        mixed = reports[..., rng.permutation(n)]
        same = np.repeat(reports[..., :1], n, axis=-1)
        for rule in SCALAR.values():
            assert rule(reports) == pytest.approx(rule(mixed))
            assert rule(reports).shape == (4, 6)
            assert rule(reports[1, 2]) == rule(reports)[1, 2]
            assert isinstance(rule(reports[1, 2]), float)
            assert rule(same) == pytest.approx(same[..., 0])


def test_schedules_that_votes_lead_to():
    sigma = [0.3, 0.4, 0.5, 0.6, 0.7]
    rates = [
        (0.35, 0.7, 1),
        (0.3, 0.6, 0.9),
        (0.25, 0.5, 0.75),
        (0.2, 0.4, 0.6),
        (0.15, 0.3, 0.45),
    ]
    assert vote_schedule(sigma) == pytest.approx(np.array(rates))
    assert vote_schedule(0.0).tolist() == [0.5, 1.0, 1.0]


def test_tax_on_apples_by_hand():
    apples = [0, 1, 5, 10, 11, 20, 21, 30]
    tax = [0, 0.1, 0.5, 1.0, 1.25, 3.5, 3.87, 7.2]
    assert apple_tax(apples, (0.1, 0.25, 0.37)) == pytest.approx(tax)
    short = {"rates": (0.1, 0.25, 0.37), "starts": (1, 6, 11)}
    assert apple_tax([1, 6, 11], **short) == pytest.approx([0.1, 0.75, 2.12])
    loose = apple_tax([1, 2, 6, 7, 11, 12], **short, strict=True)
    assert loose == pytest.approx([0, 0.2, 0.5, 1.0, 1.75, 2.49])


def test_tax_never_falls_and_is_a_sum_over_apples():
    rates = np.array([0.3, 0.0, 1.0])
    each = [rates[0]] * 10 + [rates[1]] * 10 + [rates[2]] * 20
    assert apple_tax(np.arange(41), rates) == pytest.approx(np.cumsum([0, *each]))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: mean([]), r"reports: shape \(0,\)"),
        (lambda: median([0.1, np.nan]), "reports holds nan: expected finite numbers"),
        (lambda: mean(["much"]), "expected one number a voter"),
        (lambda: mean_threshold([0.1, 1.2]), r"holds 1.2: expected .* in \[0, 1\]"),
        (lambda: mean_threshold([0.1], threshold=-1), "threshold = -1"),
        (lambda: weighted_median_of_medians([-0.1, 0.2]), r"holds -0.1.*\[0, 1\]"),
        (lambda: weighted_median_of_medians([0.1], resolution=0), "resolution = 0"),
        (lambda: phantom_median([0.1, 0.2], [0.5, 0.5]), "expected 1 or 3 numbers"),
        (lambda: vote_schedule(1.2), r"sigma = 1.2: expected numbers in \[0, 1\]"),
        (lambda: apple_tax(-1, (0.1, 0.2, 0.3)), "units = -1"),
        (lambda: apple_tax(1.5, (0.1, 0.2, 0.3)), "units = 1.5"),
        (lambda: apple_tax(1, (0.1, 0.2)), "expected 3 numbers in"),
        (lambda: apple_tax(1, (0.1, 0.2, 1.3)), r"rates = .*\[0, 1\]"),
        (lambda: apple_tax(1, (0.1, 0.2), (1, 1)), r"starts = \(1, 1\)"),
        (lambda: apple_tax(1, (), ()), r"starts = \(\)"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
