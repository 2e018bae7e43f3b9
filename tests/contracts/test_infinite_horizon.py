"""The cycle, why it must be, and equilibria in mixed recommendations."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.contracts.equilibrium import meta_algorithm
from econlib.contracts.examples import (
    cycle_mdp,
    figure1_mdp,
    random_mdp,
    recurrent_figure1,
    rounded_mdps,
)
from econlib.contracts.infinite import (
    damped_meta,
    pay_factors,
    period,
    profile_fixed_point,
    pure_candidates,
    take_blocks,
)
from econlib.contracts.minimal import min_contract
from econlib.contracts.mixed import mixed_residual, smoothed_meta
from econlib.contracts.play import spe_residual


def test_the_example_alternates_for_ever():
    _, trace = meta_algorithm(cycle_mdp(), max_iter=100)
    assert not trace.converged and trace.n_steps == 100
    assert period(trace) == 2
    values = trace.q[-2:].max(axis=2)
    order = values[:, 0].argsort()[::-1]
    np.testing.assert_allclose(
        values[order], [[10.365217, 6.104348], [10.182143, 5.717857]], atol=5e-7
    )
    assert trace.act[-2:][order].tolist() == [[0, 1], [0, 0]]
    paid = cycle_mdp().expected(trace.b[-2:][order[0]])
    np.testing.assert_allclose(paid[1], [0.35, 1.05], atol=1e-9)
    np.testing.assert_allclose(trace.b[-2:][order[1]], 0, atol=1e-12)


REPLIES = {
    (0, 0): ((0, 1), [[0, 0], [0, 0]]),
    (0, 1): ((0, 0), [[0.0881, 0.0196], [0.4741, 1.4222]]),
    (1, 0): ((0, 1), [[0.1684, 1.3474], [0, 0]]),
    (1, 1): ((0, 0), [[0, 0], [0.4762, 1.4287]]),
}


@pytest.mark.parametrize("profile", REPLIES)
def test_no_profile_is_its_own_best_response(profile):
    found = profile_fixed_point(cycle_mdp(), np.array(profile))
    reply, pay = REPLIES[profile]
    assert found.converged
    assert tuple(found.reply) == reply
    np.testing.assert_allclose(found.pay, pay, atol=5.1e-5)


def test_the_list_of_candidates_holds_the_fixed_points_and_nothing_else():
    listed = pure_candidates(cycle_mdp())
    assert listed.consistent.sum() == 4
    assert not listed.has_equilibrium()[0]
    for i in np.flatnonzero(listed.consistent[0]):
        found = profile_fixed_point(cycle_mdp(), listed.profiles[i])
        moved = (found.pay > 1e-9).any(axis=1)
        assert (moved == listed.paid[i].astype(bool)).all()
        assert (found.reply == listed.reply[0, i]).all()


def test_whatever_the_meta_algorithm_stops_at_is_listed():
    mdp = rounded_mdps(np.random.default_rng(4), 300)
    found, trace = meta_algorithm(mdp, max_iter=60)
    done = trace.change[-1].reshape(-1, 2).max(axis=1) <= 1e-10
    residual = spe_residual(mdp, found.b, found.act)
    worst = np.maximum(residual.agent, residual.principal).reshape(-1, 2).max(axis=1)
    assert 0.9 < done.mean() < 1
    assert worst[done].max() < 1e-8
    assert pure_candidates(mdp, 2).has_equilibrium()[done].all()


def test_observed_actions_always_converge():
    for seed, gamma in ((0, 0.5), (1, 0.9), (2, 0.99)):
        mdp = rounded_mdps(np.random.default_rng(seed), 300, gamma)
        _, trace = meta_algorithm(mdp, max_iter=60, observed=True)
        assert trace.converged


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99])
def test_every_failure_has_an_equilibrium_in_mixed_recommendations(gamma):
    mdp = rounded_mdps(np.random.default_rng(0), 100, gamma)
    _, trace = meta_algorithm(mdp, max_iter=60)
    failed = np.flatnonzero(trace.change[-1].reshape(-1, 2).max(axis=1) > 1e-10)
    some = take_blocks(mdp, failed, 2)
    mixed = smoothed_meta(some, 2, n_steps=2000)
    assert mixed.residual.max() < 1e-9
    pure = pure_candidates(some, 2).has_equilibrium()
    inside = ((mixed.sigma > 1e-6) & (mixed.sigma < 1 - 1e-6)).any(axis=1)
    assert inside.reshape(-1, 2).any(axis=1)[~pure].all()
    assert not damped_meta(some, 2, max_iter=100).converged[~pure].any()


def test_damped_contracts_settle_where_a_pure_equilibrium_exists_and_only_there():
    mdp = recurrent_figure1()
    assert damped_meta(mdp, 2).converged[0]
    np.testing.assert_allclose(damped_meta(mdp, 2).b, [[1, 0]] * 2, atol=1e-8)
    example = damped_meta(cycle_mdp(), 2, step=0.05)
    assert example.distance[-100:].min() > 0.1


def test_the_examples_mixture_makes_the_principal_indifferent():
    mixed = smoothed_meta(cycle_mdp(), 2)
    np.testing.assert_allclose(mixed.residual, 0, atol=1e-12)
    assert mixed.sigma[0, 0] == 1
    assert mixed.sigma[1] == pytest.approx([0.74543688, 0.25456312], abs=1e-8)
    np.testing.assert_allclose(mixed.Vp, [10.182142857, 5.717857143], atol=1e-9)


def test_without_polish_the_residual_is_of_the_size_of_the_temperature():
    rough = smoothed_meta(cycle_mdp(), 2, polish=False)
    assert 1e-9 < rough.residual.max() < 1e-3


def test_mixing_works_with_three_actions():
    mdp = random_mdp(np.random.default_rng(0), 2, 3, 3, gamma=0.6)
    mixed = smoothed_meta(mdp, 2, n_steps=600, step=0.05)
    assert mixed.residual.max() < 5e-3


def test_a_pure_equilibrium_is_a_mixed_one():
    mdp = recurrent_figure1()
    found, _ = meta_algorithm(mdp)
    sigma = np.eye(2)[found.act]
    b = np.zeros((2, 2, 2))
    b[np.arange(2), found.act] = found.b
    mixed = mixed_residual(mdp, sigma, b)
    assert mixed.residual.max() < 1e-12
    np.testing.assert_allclose(mixed.Vp, found.Vp)
    b[0, found.act[0]] += 0.1  # dearer than needed
    assert mixed_residual(mdp, sigma, b).residual.max() > 0.05


def test_factors_are_the_cheapest_payment_for_a_unit_of_incentive():
    mdp = rounded_mdps(np.random.default_rng(1), 20)
    factor = pay_factors(mdp)
    for a in (0, 1):
        qbar = np.zeros((40, 2))
        qbar[:, 1 - a] = 1
        found = min_contract(qbar, mdp.F, np.full(40, a))
        np.testing.assert_allclose(factor[:, a], found.pay)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: take_blocks(cycle_mdp(), np.array([0]), 3), "size = 3"),
        (lambda: take_blocks(cycle_mdp(), np.array([0]), 1), "leads to another"),
        (lambda: pure_candidates(figure1_mdp()), "has layers"),
        (lambda: pure_candidates(rounded_mdps(np.random.default_rng(0), 4)), "size"),
        (lambda: damped_meta(cycle_mdp(), 2, step=0.0), "step = 0.0"),
        (lambda: smoothed_meta(cycle_mdp(), 2, step=2.0), "step = 2.0"),
        (lambda: smoothed_meta(cycle_mdp(), 2, temperatures=(0.1, 1.0)), "first"),
        (
            lambda: mixed_residual(
                cycle_mdp(), np.full((2, 2), 0.4), np.zeros((2, 2, 2))
            ),
            "sigma",
        ),
        (
            lambda: pay_factors(random_mdp(np.random.default_rng(0), 2, 3)),
            "3 actions",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
