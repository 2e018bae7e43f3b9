"""Summed scores against densities, Langevin against posteriors, messages by search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.decpomdp_diffusion.composition import (
    experts_langevin,
    experts_score,
    quantise,
    state_frequencies,
)
from econlib.decpomdp_diffusion.denoisers import ExactDenoiser, team
from econlib.decpomdp_diffusion.examples import dec_tiger, hypercube, xor
from econlib.decpomdp_diffusion.flows import nearest
from econlib.decpomdp_diffusion.messages import (
    excess,
    joint_law,
    search_messages,
    told,
)
from econlib.decpomdp_diffusion.sensors import sensor_network

PAIR = joint_law(sensor_network((2, 3), 2, [1, 4]), 2)


def log_density(states, probs, x, sigma):
    far = ((x[..., None, :] - states) ** 2).sum(axis=-1)
    return np.log((probs * np.exp(-far / (2 * sigma**2))).sum(axis=-1))


def test_the_score_is_the_slope_of_the_log_density():
    rng = np.random.default_rng(0)
    states = rng.standard_normal((5, 3))
    local, prior = rng.dirichlet(np.ones(5), 3), rng.dirichlet(np.ones(5))
    parts, free = team(states, local), ExactDenoiser(states, prior)
    x, sigma = rng.standard_normal((4, 3)), 0.8

    def total(x):
        own = sum(log_density(states, p, x, sigma) for p in local)
        return own - 2 * log_density(states, prior, x, sigma)

    found = experts_score(parts, free, x, sigma)
    for k in range(3):
        step = 1e-5 * np.eye(3)[k]
        slope = (total(x + step) - total(x - step)) / 2e-5
        assert found[:, k] == pytest.approx(slope, abs=1e-6)


def test_langevin_draws_the_tiger_with_its_posterior():
    """Growls are independent given the door: the product of experts is exact."""
    tiger = dec_tiger(2)
    obs = np.array([[[0, 0]], [[0, 1]], [[1, 1]]])
    local, joint = tiger.local_posteriors(obs), tiger.posterior(obs)
    free = ExactDenoiser(tiger.states, np.broadcast_to(tiger.prior(), joint.shape))
    rng, n = np.random.default_rng(1), 4000
    x = 3 * rng.standard_normal((3, n, 1))
    parts, levels = team(tiger.states, local), np.geomspace(3.0, 0.15, 60)
    end = experts_langevin(parts, free, x, levels, rng)
    named = nearest(tiger.states, end)[0]
    found = state_frequencies(named, 2)
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert np.abs(found - joint).max() < 0.03 + 4 * np.sqrt(0.25 / n)
    coarse = experts_langevin(parts, free, x, levels, rng, repeats=1)
    wrong = state_frequencies(nearest(tiger.states, coarse)[0], 2)
    assert np.abs(wrong - joint).sum() >= np.abs(found - joint).sum() - 0.05


@given(st.integers(1, 12), st.floats(0.1, 10.0), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_a_quantised_point_is_at_most_half_a_cell_off(n_bits, limit, seed):
    x = np.random.default_rng(seed).uniform(-limit, limit, 50)
    found = quantise(x, n_bits, limit)
    assert np.abs(found - x).max() <= limit / 2**n_bits + 1e-12
    assert len(np.unique(found)) <= 2**n_bits
    assert quantise(found, n_bits, limit) == pytest.approx(found)
    assert np.abs(quantise(100 * x, n_bits, limit)).max() < limit


def test_without_messages_agents_hold_their_local_posteriors():
    env = sensor_network((2, 3), 2, [1, 4])
    every = env.histories(2)
    local = told(PAIR, np.zeros_like(PAIR.code))
    assert local == pytest.approx(env.local_posteriors(every.obs))
    assert excess(PAIR, local) == pytest.approx(0.073246, abs=1e-6)
    whole = told(PAIR, PAIR.code)  # everybody tells everything
    assert (
        whole == pytest.approx(np.stack([PAIR.joint] * 2)) and excess(PAIR, whole) == 0
    )


@pytest.mark.parametrize("steps", [1, 2])
def test_parities_need_one_bit(steps):
    law = joint_law(xor(steps), steps)
    assert search_messages(law, 0, np.random.default_rng(0)).excess == 1.0
    found = search_messages(law, 1, np.random.default_rng(0))
    assert found.excess == 0 and found.sent.max() <= 1


def test_one_bit_each_mends_the_pair_and_is_a_function_of_the_history():
    found = search_messages(PAIR, 1, np.random.default_rng(3))
    assert found.excess == 0 and set(np.unique(found.sent)) == {0, 1}
    for i, own in enumerate(found.maps):
        assert len(own) == PAIR.n_codes[i]
        assert (found.sent[:, i] == own[PAIR.code[:, i]]).all()
    local = told(PAIR, found.sent)
    assert ((local > 0).all(axis=0) == (PAIR.joint > 0)).all()


def test_messages_never_hide_a_possible_state():
    rng = np.random.default_rng(4)
    for n in (2, 4):
        sent = rng.integers(0, n, PAIR.code.shape)
        for i in (0, 1):  # a function of the history
            sent[:, i] = rng.integers(0, n, PAIR.n_codes[i])[PAIR.code[:, i]]
        local = told(PAIR, sent)
        assert (local > 0)[:, PAIR.joint > 0].all()
        assert excess(PAIR, local) <= 0.073247


def test_collectively_observable_teams_need_no_message():
    law = joint_law(hypercube(3), 1)
    assert search_messages(law, 0, np.random.default_rng(0)).excess == 0


def sampler(rng, **options):
    return experts_langevin([abs], abs, np.zeros(1), np.ones(1), rng, **options)


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("step = 0", lambda rng: sampler(rng, step=0.0)),
        ("repeats = 0", lambda rng: sampler(rng, repeats=0)),
        ("n_bits = 31", lambda rng: quantise(np.zeros(2), 31)),
        ("n_bits = 9", lambda rng: search_messages(PAIR, 9, rng)),
        ("n_starts = 0", lambda rng: search_messages(PAIR, 1, rng, n_starts=0)),
    ],
)
def test_bad_arguments_are_refused(message, call):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))
