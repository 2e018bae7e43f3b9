"""Exact posteriors: enumeration, simulation, closed forms, and what is refused."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.decpomdp_diffusion.examples import (
    dec_tiger,
    grid,
    hypercube,
    line,
    tiger_posterior,
    xor,
)
from econlib.decpomdp_diffusion.model import DecPOMDP, product_of_experts
from econlib.decpomdp_diffusion.sensors import sensor_network

# array, targets, active: states, support, log-support, shared, most shared, accuracy
CORNERS = (0, 2, 4, 10, 12, 14)
ONE_STEP = {
    ((2, 2), 1, None): (5, 1.4, 0.277259, 1.0, 1, 1.0),
    ((2, 2), 2, None): (10, 1.6, 0.415888, 1.0, 1, 1.0),
    ((2, 3), 2, None): (36, 7.388889, 1.705753, 1.0, 1, 1.0),
    ((2, 3), 3, None): (84, 10.849206, 2.153996, 1.0, 1, 1.0),
    ((3, 3), 2, None): (120, 39.129630, 3.143483, 1.0, 1, 1.0),
    ((3, 5), 2, None): (435, 217.383448, 4.844140, 1.0, 1, 1.0),
    ((2, 3), 2, (0, 5)): (36, 9.333333, 2.024234, 2.166667, 3, 0.611111),
    ((2, 3), 2, (0, 2)): (36, 9.333333, 2.024234, 2.166667, 3, 0.611111),
    ((2, 3), 2, (1, 4)): (36, 3.5, 1.068790, 1.388889, 2, 0.805556),
    ((2, 3), 2, (1,)): (36, 3.5, 1.068790, 3.5, 6, 0.444444),
    ((3, 3), 2, (0, 2, 6, 8)): (120, 54.95, 3.665469, 2.45, 6, 0.658333),
    ((3, 5), 2, CORNERS): (
        435,
        263.537931,
        5.181373,
        5.570115,
        28,
        0.583908,
    ),
}
# active: support, entropy, shared, possible, P(more shared than possible), accuracy, TV
TWO_STEPS = {
    None: (7.207655, 1.623811, 1.0, 1.0, 0.0, 1.0, 0.0),
    (0, 5): (9.114694, 1.960280, 2.228704, 2.228704, 0.0, 0.680545, 0.021591),
    (0, 2): (9.114694, 1.960280, 2.245253, 2.245253, 0.0, 0.647008, 0.036005),
    (1, 4): (3.393579, 0.950874, 1.215651, 1.142405, 0.073246, 0.950236, 0.022035),
}


@pytest.mark.parametrize("case", ONE_STEP)
def test_one_observation_of_the_sensor_network(case):
    net, known = sensor_network(*case), ONE_STEP[case]
    every = net.histories(1)
    local, joint = net.local_posteriors(every.obs), net.posterior(every.obs)
    size, shared = (local > 0).sum(axis=2), (local > 0).all(axis=0).sum(axis=1)
    p = every.prob
    assert net.n_states == known[0]
    found = [p @ size.mean(axis=0), p @ np.log(size).mean(axis=0), p @ shared]
    assert found == pytest.approx(known[1:4], abs=1e-6)
    assert shared.max() == known[4]
    assert p @ joint.max(axis=1) == pytest.approx(known[5], abs=1e-6)
    assert net.collectively_observable() == (known[5] == 1.0)


@pytest.mark.parametrize("active", TWO_STEPS)
def test_two_observations_of_the_sensor_network(active):
    net, known = sensor_network((2, 3), 2, active), TWO_STEPS[active]
    every = net.histories(2)
    local, joint, p = (
        net.local_posteriors(every.obs),
        net.posterior(every.obs),
        every.prob,
    )
    entropy = -(local * np.log(np.where(local > 0, local, 1))).sum(axis=2)
    shared, possible = (local > 0).all(axis=0).sum(axis=1), (joint > 0).sum(axis=1)
    fused = product_of_experts(local, net.prior(2))
    found = [
        p @ (local > 0).sum(axis=2).mean(axis=0),
        p @ entropy.mean(axis=0),
        p @ shared,
        p @ possible,
        p @ (shared > possible),
        p @ joint.max(axis=1),
        p @ np.abs(fused - joint).sum(axis=1) / 2,
    ]
    assert found == pytest.approx(known, abs=1e-6)


def test_three_more_sets_of_sensors_know_the_state():
    for active in ((0, 2, 3, 5), (0, 1, 4), (0, 1, 4, 5)):
        net = sensor_network((2, 3), 2, active)
        assert net.collectively_observable() and len(net.histories(1).prob) == 36


def test_the_paper_scale_network_fits_and_its_local_histories_hide_the_state():
    net = sensor_network((3, 5), 3)
    assert net.n_states == 4060 and len(net.b0) == 24360
    _, obs = net.simulate(3, 3, np.random.default_rng(0))
    assert ((net.posterior(obs) > 0).sum(axis=1) == 1).all()
    assert (net.posterior(obs, [0]) > 0).sum(axis=1).min() > 1


def test_targets_never_stay_and_the_kernel_is_the_redrawn_move():
    """One target on a 2 x 2 array, counted by hand through rejection."""
    net = sensor_network((2, 2), 1)
    free = [tuple(c) for c in net.cells]
    for k, (i, j) in enumerate(free):
        count = dict.fromkeys(free, 0)
        for a, b in itertools.product(range(-2, 3), repeat=2):
            to = (min(max(i + a, 0), 2), min(max(j + b, 0), 2))
            if to in count and to != (i, j):
                count[to] += 1
        law = np.array(list(count.values())) / sum(count.values())
        row = np.asarray(net.P[0].todense())[k]
        assert row[k] == 0 and row == pytest.approx(law)


def test_simulation_has_the_enumerated_frequencies():
    net, n = sensor_network((2, 3), 2, [1, 4]), 40_000
    every = net.histories(2)
    _, obs = net.simulate(n, 2, np.random.default_rng(1))
    known = {row.tobytes(): k for k, row in enumerate(every.obs)}
    count = np.bincount([known[row.tobytes()] for row in obs], minlength=len(known))
    error = np.abs(count / n - every.prob) / np.sqrt(every.prob / n)
    assert error.max() < 5.5  # 787 cells


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_filter_is_bayes_rule_over_paths(seed):
    """A random process with noisy observations, against the sum over all paths."""
    rng = np.random.default_rng(seed)
    move = rng.dirichlet(np.ones(3), 3)
    laws = tuple(rng.dirichlet(np.ones(2), 3) for _ in range(2))
    b0, lump = rng.dirichlet(np.ones(3)), np.array([0, 1, 1])
    env = DecPOMDP(np.array([[-1.0], [1.0]]), lump, b0, (sp.csr_matrix(move),), laws)
    every = env.histories(2)
    assert every.prob.sum() == pytest.approx(1)
    joint, first = env.posterior(every.obs), env.posterior(every.obs, [0])
    for row, obs in enumerate(every.obs):
        for agents, found in (((0, 1), joint), ((0,), first)):
            weight = np.zeros(2)
            for h0, h1 in itertools.product(range(3), repeat=2):
                like = b0[h0] * move[h0, h1]
                for i in agents:
                    like *= laws[i][h0, obs[0, i]] * laws[i][h1, obs[1, i]]
                weight[lump[h1]] += like
            assert found[row] == pytest.approx(weight / weight.sum(), abs=1e-12)


def test_the_joint_law_never_exceeds_what_every_agent_holds_possible():
    net = sensor_network((2, 3), 3, [0, 2, 4])
    _, obs = net.simulate(200, 3, np.random.default_rng(2))
    assert not ((net.posterior(obs) > 0) & ~net.shared_support(obs)).any()


def test_dec_tiger_counts_growls():
    env = dec_tiger(2)
    assert tiger_posterior(np.arange(1.0, 5.0)) == pytest.approx(
        [0.85, 0.969799, 0.994534, 0.999031], abs=1e-6
    )
    every = env.histories(3)
    joint, local = env.posterior(every.obs), env.local_posteriors(every.obs)
    net = (every.obs == 0).sum(axis=(1, 2)) - (every.obs == 1).sum(axis=(1, 2))
    assert joint[:, 0] == pytest.approx(tiger_posterior(net.astype(float)))
    assert product_of_experts(local, env.prior()) == pytest.approx(joint)
    assert not env.collectively_observable() and not env.collectively_observable(2)


@pytest.mark.parametrize("steps", [1, 2])
def test_parity_is_known_together_and_shared_by_nobody(steps):
    env = xor(steps)
    every = env.histories(steps)
    assert (env.posterior(every.obs) > 0).sum(axis=1).max() == 1
    assert env.shared_support(every.obs).all()
    assert env.collectively_observable(steps)
    assert env.collectively_observable() == (steps == 1)


def test_grid_and_hypercube_split_the_coordinates():
    env = grid(4)
    obs = env.histories(1).obs
    assert env.states[env.posterior(obs).argmax(axis=1)] == pytest.approx(
        np.linspace(-1, 1, 4)[obs[:, 0]]
    )
    assert ((env.local_posteriors(obs) > 0).sum(axis=2) == 4).all()
    cube = hypercube(3)
    assert ((cube.local_posteriors(cube.histories(1).obs) > 0).sum(axis=2) == 4).all()


def test_what_cannot_have_happened_is_refused():
    net = sensor_network((2, 3), 2)
    both = np.zeros((1, 1, 6), int)
    for i, looks in enumerate(net.windows):
        both[0, 0, i] = looks.sum(axis=1).argmax()  # every sensor sees two targets
    with pytest.raises(ValueError, match=r"obs\[0\]: no state explains.*step 0"):
        net.posterior(both)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((2, 3), 0), r"n_targets = 0: expected an integer, 1 to 8"),
        (((2, 3), 9), r"n_targets = 9"),
        (((2, 3), 2.0), r"n_targets = 2\.0"),
        (((1, 3), 1), r"shape = \(1, 3\): expected two integers, 2 to 8"),
        (((2, 3, 4), 1), r"shape = \(2, 3, 4\)"),
        (((4, 5), 4), r"2961840 placements: expected at most 50000"),
        (((2, 3), 2, [0, 0]), r"active = \[0, 0\]: expected different sensors"),
        (((2, 3), 2, [6]), r"active = \[6\]: expected sensors 0 to 5"),
        (((2, 3), 2, []), r"active = \[\]"),
    ],
)
def test_sizes_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(sensor_network)(*arguments)


def test_other_bad_input_is_refused():
    net = sensor_network((2, 3), 2)
    with pytest.raises(ValueError, match=r"obs: shape \(1, 1, 2\)"):
        net.posterior(np.zeros((1, 1, 2), int))
    with pytest.raises(ValueError, match="agents: 7, expected 0 to 5"):
        net.posterior(np.zeros((1, 1, 6), int), [7])
    with pytest.raises(ValueError, match="obs of agent 0: expected symbols 0 to"):
        net.posterior(np.full((1, 1, 6), 99))
    with pytest.raises(ValueError, match="length = 6: step"):
        net.histories(6)
    with pytest.raises(ValueError, match="length = 0: expected an integer"):
        net.simulate(1, 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="local: no state is possible"):
        product_of_experts(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match="b0: expected probabilities that sum to 1"):
        DecPOMDP(np.eye(2), np.arange(2), np.array([0.5, 0.6]), (), (np.eye(2),))
    with pytest.raises(ValueError, match=r"lump.*O: expected at least one agent"):
        DecPOMDP(np.eye(2), np.array([0, 2]), np.array([0.5, 0.5]), (), ())
    for bad, call in (
        ("n_agents = 0", lambda: hypercube(0)),
        ("hear = 0.5", lambda: dec_tiger(2, 0.5)),
        ("m = 1", lambda: grid(1)),
        ("steps = 3", lambda: xor(3)),
        ("weight = 1.0", lambda: line(1.0)),
    ):
        with pytest.raises(ValueError, match=bad):
            call()
