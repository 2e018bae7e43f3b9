"""Values of experiments by hand, by enumeration of answers, in Blackwell's order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from econlib.data_markets.experiments import (
    check_beliefs,
    check_experiments,
    check_payoffs,
    check_stakes,
    concentrated,
    concentration_gap,
    differential_informativeness,
    experiment_value,
    full,
    null,
    obedience_violation,
    outside_option,
)


def test_full_information_is_worth_the_stake_and_none_the_outside_option():
    rng = np.random.default_rng(0)
    for m in (2, 3, 4):
        θ, v = rng.dirichlet(np.ones(m), 20), rng.uniform(0, 3, 20)
        both = np.stack([full(m), null(m)])
        value = experiment_value(both, θ, v)
        assert value[:, 0] == pytest.approx(v)
        assert value[:, 1] == pytest.approx(v * θ.max(axis=1))
        assert value[:, 1] == pytest.approx(outside_option(θ, v))


def test_value_is_the_best_of_all_answers_to_the_signals():
    rng = np.random.default_rng(1)
    for m, n_act in ((2, 2), (2, 3), (3, 3)):
        θ, v = rng.dirichlet(np.ones(m), 6), rng.uniform(0, 2, 6)
        u = rng.normal(size=(m, n_act))
        π = rng.dirichlet(np.ones(3), (4, m))
        best = np.full((6, 4), -np.inf)
        for σ in itertools.product(range(n_act), repeat=3):
            best = np.maximum(
                best, v[:, None] * np.einsum("tk,ks,jks->tj", θ, u[:, σ], π)
            )
        assert experiment_value(π, θ, v, u) == pytest.approx(best)


def test_garbling_never_adds_value():
    rng = np.random.default_rng(2)
    θ = rng.dirichlet(np.ones(3), 50)
    π = rng.dirichlet(np.ones(3), (10, 3))
    noise = rng.dirichlet(np.ones(3), 3)
    assert (experiment_value(π @ noise, θ) <= experiment_value(π, θ) + 1e-12).all()


def test_concentrated_items_are_named_by_their_slope():
    q = np.linspace(-1, 1, 9)
    items = concentrated(q)
    assert differential_informativeness(items) == pytest.approx(q)
    turned = items[1:-1, :, ::-1]  # signals renamed
    assert differential_informativeness(turned) == pytest.approx(q[1:-1])
    assert concentration_gap(items).max() == 0
    assert concentration_gap(null(2)[None])[0] == 0.5
    assert experiment_value(items[[0, -1]], [[0.3, 0.7]])[0] == pytest.approx(0.7)


def test_who_disobeys_gains_what_the_best_answer_adds():
    π = concentrated([-0.4])
    # "first" is sent by the first state alone, so that all follow it; where it is
    # noisy, a type that is nearly sure of the second state does not
    noisy = np.array([[[0.6, 0.4], [0.4, 0.6]]])
    assert obedience_violation(π, [[0.1, 0.9]])[0, 0] == pytest.approx(0)
    assert obedience_violation(noisy, [[0.1, 0.9]], [2.0])[0, 0] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: check_beliefs([[0.3, 0.6]]), r"beliefs\[0\] sums to 0.9"),
        (lambda: check_beliefs([[0.5, 0.5], [1.2, -0.2]]), r"beliefs\[1\] ="),
        (lambda: check_beliefs([0.5, 0.5]), "beliefs: shape"),
        (lambda: check_beliefs([[1.0]]), "n_states >= 2"),
        (lambda: check_stakes([1.0, -2.0], 2), r"stakes\[1\] = -2.0"),
        (lambda: check_stakes([1.0], 2), "stakes: shape"),
        (lambda: check_payoffs([1.0, -1.0], 2), r"payoffs\[1\] = -1.0"),
        (lambda: check_payoffs([[1.0, np.nan], [0, 1]], 2), "payoffs: expected"),
        (lambda: check_payoffs(np.ones((3, 2)), 2), "payoffs: shape"),
        (lambda: check_experiments([[[0.5, 0.4], [0, 1]]]), "sums to 0.9"),
        (lambda: check_experiments([[[1.5, -0.5], [0, 1]]]), "0 or more"),
        (lambda: concentrated([1.5]), "q = "),
        (lambda: full(1), "n_states = 1"),
        (lambda: experiment_value(full(3)[None], [[0.5, 0.5]]), "have 3 states"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()
