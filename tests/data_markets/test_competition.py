"""Optima of competing buyers: closed forms, tables, programs, simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.data_markets.competition import (
    NOTIONS,
    SETTINGS,
    Setting,
    bic_uniform,
    expost_exponential,
    expost_uniform,
    implementation,
    optimum,
)
from econlib.data_markets.stake_programs import solve_stakes
from econlib.data_markets.virtual_values import stake

BIC = {
    "U-.50-0.5": 19 / 48,
    "U-.50-2": 25 / 24,
    "U-.75-0.5": 91 / 384,
    "U-.75-2": 3 / 4,
    "Asym-.50-0.5": 39 / 64,
    "Asym-.50-2": 51 / 32,
    "Asym-.75-0.5": 189 / 512,
    "Asym-.75-2": 109 / 96,
}


def _revenue(name, notion):
    s = SETTINGS[name]
    return optimum(s.laws, s.alpha, s.theta, notion).revenue


def test_there_are_thirteen_settings():
    assert len(SETTINGS) == 13
    assert next(iter(SETTINGS)) == "U-.50-0.5"
    assert SETTINGS["IRR-.50-0.5"] == Setting(("irregular", "irregular"), 0.5, 0.5)


@pytest.mark.parametrize("name", BIC)
def test_bayesian_optima_are_their_fractions(name):
    assert _revenue(name, "bic") == pytest.approx(BIC[name], abs=1e-7)


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5, 1.0, 1.25, 2.0, 5.0])
@pytest.mark.parametrize("theta", [0.5, 0.6, 0.9])
def test_closed_forms_hold_along_the_externality(alpha, theta):
    uniform, exponential = [stake("uniform")] * 2, [stake("exponential")] * 2
    assert optimum(uniform, alpha, 0.5).revenue == pytest.approx(
        bic_uniform(alpha), abs=1e-7
    )
    assert optimum(uniform, alpha, theta, "expost").revenue == pytest.approx(
        expost_uniform(alpha, theta), abs=1e-7
    )
    assert optimum(exponential, alpha, theta, "expost").revenue == pytest.approx(
        expost_exponential(alpha, theta), abs=1e-6
    )


def test_the_curve_is_smooth_where_its_form_changes():
    step = 1e-4
    left = (bic_uniform(1.0) - bic_uniform(1 - step)) / step
    right = (bic_uniform(1 + step) - bic_uniform(1.0)) / step
    assert left == pytest.approx(5 / 12, abs=1e-4)
    assert right == pytest.approx(5 / 12, abs=1e-4)


def test_the_optimum_is_a_posted_price_ex_post():
    # each buyer pays (1 - theta)(r2 [v >= r2] + alpha r1 [v >= r1])
    rng = np.random.default_rng(0)
    v, w = rng.random((2, 400_000))
    alpha, theta = 0.5, 0.5
    r2 = (alpha * np.maximum(2 * w - 1, -1 / alpha) + 1) / 2
    r1 = np.clip(((2 * w - 1) / alpha + 1) / 2, 0, None)
    paid = (1 - theta) * (r2 * (v >= r2) + alpha * r1 * (v >= r1))
    error = 4 * 2 * paid.std() / np.sqrt(len(paid))
    assert 2 * paid.mean() == pytest.approx(13 / 48, abs=error)


@given(
    st.floats(0, 4),
    st.floats(0.5, 0.95),
    st.sampled_from(["uniform", "exponential", "irregular"]),
)
@settings(max_examples=25, deadline=None)
def test_weaker_incentives_earn_more_and_nobody_beats_welfare(alpha, theta, name):
    laws = [stake(name)] * 2
    bic, expost = (optimum(laws, alpha, theta, x).revenue for x in NOTIONS)
    mean = float(laws[0].law.mean())
    assert 0 <= expost <= bic + 1e-9
    assert bic <= 2 * mean * (1 - theta + alpha) + 1e-9


@pytest.mark.parametrize(
    ("name", "alpha", "prior", "n_buyers", "n_cells"),
    [
        ("uniform", 0.5, [0.5, 0.5], 2, 20),
        ("uniform", 2.0, [0.25, 0.75], 2, 40),
        ("exponential", 2.0, [1 / 3] * 3, 2, 20),
        ("uniform", 2.0, [0.6, 0.3, 0.1], 2, 20),
        ("exponential", 2.0, [0.75, 0.25], 3, 16),
        ("irregular", 0.5, [0.5, 0.5], 2, 32),
    ],
)
def test_programs_approach_the_optimum_from_below(
    name, alpha, prior, n_buyers, n_cells
):
    law = stake(name)
    best = optimum([law] * n_buyers, alpha, max(prior)).revenue
    found = [
        solve_stakes(
            law, alpha, np.array(prior), n_buyers=n_buyers, n_cells=cells
        ).revenue
        for cells in (n_cells // 2, n_cells)
    ]
    assert max(found) <= best + 1e-6
    assert (4 * found[1] - found[0]) / 3 == pytest.approx(best, rel=4e-3)


def test_more_buyers_with_nobody_to_harm_are_single_buyers():
    one = optimum([stake("uniform")] * 2, 0.0, 0.5).revenue / 2
    four = optimum([stake("uniform")] * 4, 0.0, 0.5).revenue
    assert four == pytest.approx(4 * one, abs=1e-6)


def test_cutoffs_are_the_drawn_boundaries():
    # U .5/.5: flat at 1/2 up to stake 1/2, then a line to (3/4, 1)
    found = optimum([stake("uniform")] * 2, 0.5, 0.5)
    assert found.cutoff(0, np.array([0.2, 0.5, 0.625, 0.75, 0.9])) == pytest.approx(
        [0.5, 0.5, 0.75, 1.0, 1.0], abs=1e-3
    )


@given(st.integers(2, 5), st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
def test_an_accuracy_has_an_obedient_experiment(n_states, seed):
    rng = np.random.default_rng(seed)
    prior = rng.dirichlet(np.ones(n_states)) * 0.98 + 0.02 / n_states
    accuracy = rng.uniform(prior.max(), 1)
    pi = implementation(prior, accuracy)
    joint = prior[:, None] * pi
    assert pi.sum(axis=1) == pytest.approx(np.ones(n_states))
    assert (pi >= -1e-12).all()
    assert np.trace(joint) == pytest.approx(accuracy)
    assert (np.diag(joint) >= joint.max(axis=0) - 1e-12).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimum([stake("uniform")], 0.5, 0.5), "n_buyers = 1"),
        (lambda: optimum([stake("uniform")] * 2, -0.1, 0.5), "alpha = -0.1"),
        (lambda: optimum([stake("uniform")] * 2, 0.1, 1.0), "theta = 1.0"),
        (lambda: optimum([stake("uniform")] * 2, 0.1, 0.5, "dsic"), "notion = 'dsic'"),
        (lambda: implementation(np.array([0.7, 0.7]), 0.8), "sum to one"),
        (lambda: implementation(np.array([0.7, 0.3]), 0.5), "accuracy = 0.5"),
        (
            lambda: solve_stakes(stake("uniform"), 1.0, np.array([0.5, 0.4])),
            "sum to one",
        ),
        (
            lambda: solve_stakes(
                stake("uniform"), 1.0, np.array([0.5, 0.5]), n_buyers=5
            ),
            "200000 profiles",
        ),
        (
            lambda: solve_stakes(
                stake("uniform"), 1.0, np.array([0.5, 0.5]), n_cells=1
            ),
            "n_cells = 1",
        ),
    ],
)
def test_markets_that_are_none_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
