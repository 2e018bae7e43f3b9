"""Churn and multiplicity: hand examples, axioms, and the identity between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econlib.churn.measures import (
    ambiguity,
    baseline_churn,
    churn,
    discrepancy,
    expected_churn,
    multiplicity,
    overlap,
    pairwise_churn,
    smooth_churn,
    unstable,
)

seeds = st.integers(0, 2**32 - 1)


def banks(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    P = rng.integers(0, 2, (int(rng.integers(1, 9)), n))
    Q = rng.integers(0, 2, (int(rng.integers(1, 9)), n))
    return P, Q, rng.uniform(0.1, 1, n)


def test_two_models_by_hand():
    p = np.array([[1, 1, 0, 0, 0, 0, 0, 0, 0, 0]]).T  # shares .2 and .9 over ten models
    q = 1 - np.array([[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]]).T
    P = np.concatenate([p, q], axis=1)
    Q = np.array([[1, 1, 1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 0, 0, 0, 0]]).T
    found = expected_churn(P, Q)
    assert found.multiplicity_a == pytest.approx(0.25)
    assert found.multiplicity_b == pytest.approx(0.49)
    assert found.shift == pytest.approx(0.09)
    assert found.total == pytest.approx(0.46)


@given(seeds)
def test_churn_is_a_metric(seed):
    P, _, w = banks(seed)
    a, b, c = P[0], P[-1], P[len(P) // 2]
    assert churn(a, b, w) == churn(b, a, w)
    assert (churn(a, b, w) == 0) == (a == b).all()
    assert churn(a, c, w) <= churn(a, b, w) + churn(b, c, w) + 1e-12


@given(seeds)
def test_expected_churn_is_multiplicity_plus_shift(seed):
    P, Q, w = banks(seed)
    found = expected_churn(P, Q, w)
    assert abs(found.residual) <= 1e-12
    pairs = [churn(a, b, w) for a in P for b in Q]
    assert found.total == pytest.approx(np.mean(pairs), abs=1e-12)
    assert expected_churn(P, P, w).total == pytest.approx(multiplicity(P, w), abs=1e-12)


@given(seeds)
def test_sandwich_of_ambiguity_discrepancy_and_churn(seed):
    P, _, w = banks(seed)
    k = len(np.unique(P, axis=0))
    P = np.unique(P, axis=0)
    alpha, delta, mean = ambiguity(P, w=w), discrepancy(P, w=w), baseline_churn(P, w=w)
    assert alpha / k - 1e-12 <= mean <= delta + 1e-12
    assert delta <= alpha + 1e-12
    assert multiplicity(P, w) <= alpha / 2 + 1e-12
    mask = unstable(P)
    assert w[mask].sum() / w.sum() == pytest.approx(alpha)


@given(seeds)
def test_distinct_pairs_are_those_off_the_diagonal(seed):
    P, _, w = banks(seed)
    if len(P) > 1:
        table = pairwise_churn(P, w=w)
        off = table[~np.eye(len(P), dtype=bool)]
        assert multiplicity(P, w, distinct=True) == pytest.approx(off.mean(), abs=1e-12)


@given(seeds, st.sampled_from(["ramp", "flip"]), st.floats(0.01, 10))
def test_smooth_churn_is_at_most_the_mean_difference(seed, form, gamma):
    rng = np.random.default_rng(seed)
    fa, fb = rng.normal(0, 1, (2, 40))
    y = rng.integers(0, 2, 40)
    found = smooth_churn(fa, fb, y, gamma, form=form)
    assert 0 <= found <= np.abs(fa - fb).mean() / gamma + 1e-12


@pytest.mark.parametrize("form", ["ramp", "flip"])
def test_smooth_churn_tends_to_churn(form):
    rng = np.random.default_rng(3)
    fa, fb = rng.normal(0, 1, (2, 500))
    y = rng.integers(0, 2, 500)
    sharp = smooth_churn(fa, fb, y, 1e-9, form=form)
    assert sharp == pytest.approx(churn((fa > 0), (fb > 0)))


def test_flip_form_breaks_the_triangle_inequality_and_the_ramp_form_does_not():
    f = [np.array([0.6]), np.array([1e-9]), np.array([-0.6])]
    y = np.array([1])
    a, b, c = (
        smooth_churn(f[i], f[j], y, 1.0, form="flip")
        for i, j in ((0, 2), (0, 1), (1, 2))
    )
    assert a > b + c + 0.3
    a, b, c = (smooth_churn(f[i], f[j], y, 1.0) for i, j in ((0, 2), (0, 1), (1, 2)))
    assert a <= b + c + 1e-12


def test_overlap_by_hand():
    mask = np.array([True, True, False, False])
    found = overlap(mask, np.array([1.0, 0.0, 0.5, 0.0]))
    assert found.recall == pytest.approx(2 / 3)
    assert found.precision == pytest.approx(0.5)
    assert found.lift == pytest.approx(0.5 / 0.375)
    assert found.jaccard == pytest.approx(1 / 2.5)
    assert np.isnan(overlap(~mask & mask, np.zeros(4)).recall)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: churn(np.array([0, 2]), np.array([0, 1])), "labels 0 and 1"),
        (lambda: churn(np.array([0]), np.array([0]), np.array([-1.0])), "w:"),
        (lambda: unstable(np.array([[0, 1]]), 1), "base = 1"),
        (lambda: multiplicity(np.array([[0, 1]]), distinct=True), "P: 1 model"),
        (
            lambda: smooth_churn(np.zeros(1), np.zeros(1), np.array([0]), 0.0),
            "gamma = 0",
        ),
        (
            lambda: smooth_churn(
                np.zeros(1), np.zeros(1), np.array([0]), 1.0, form="x"
            ),
            "form = 'x'",
        ),
        (lambda: overlap(np.array([True]), np.array([2.0])), "flips"),
        (lambda: overlap(np.array([True]), np.array([np.nan])), "flips"),
        (lambda: churn(np.array([0, 1, 2]), np.array([0, 1, 1])), "labels 0 and 1"),
        (
            lambda: smooth_churn(np.full(1, np.nan), np.zeros(1), np.array([0]), 1.0),
            "missing",
        ),
        (lambda: smooth_churn(np.zeros(1), np.zeros(1), np.array([2]), 1.0), "y:"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
