"""Exact denoisers as dynamical systems: closed forms, counterexamples, certificates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from econlib.decpomdp_diffusion.bounds import (
    certify,
    deviation_bound,
    exact_bounds,
    surrogate,
)
from econlib.decpomdp_diffusion.denoisers import (
    Composite,
    ExactDenoiser,
    ExpertsDenoiser,
    ParallelDenoiser,
    check_sigma,
    team,
)
from econlib.decpomdp_diffusion.examples import hypercube, line
from econlib.decpomdp_diffusion.flows import (
    anneal,
    fixed_points,
    flow,
    langevin,
    nearest,
    schedule,
    stays,
)
from econlib.decpomdp_diffusion.linear import (
    LinearGaussian,
    blind_lines,
    random_linear,
    wiener_deviation,
)
from econlib.decpomdp_diffusion.ranks import (
    RANKS,
    jacobian_ranks,
    spearman,
    spearman_interval,
)
from econlib.decpomdp_diffusion.sensors import sensor_network
from econlib.decpomdp_diffusion.two_states import (
    critical_sigma,
    two_state_points,
    two_state_slope,
)

BIT = {
    0.4: (0.999993, 0.000093, 6.25),
    0.5: (0.99932567, 0.00539280, 4.0),
    0.6: (0.991947, 0.044559, 2.7778),
    0.7: (0.961217, 0.155229, 2.0408),
    0.8: (0.879732, 0.353237, 1.5625),
    0.9: (0.695658, 0.637111, 1.2346),
}


@pytest.mark.parametrize("sigma", BIT)
def test_one_bit(sigma):
    top, slope, middle = BIT[sigma]
    y = two_state_points(0.5, sigma)
    assert y == pytest.approx([-top, 0, top], abs=1e-6)
    found = two_state_slope(0.5, sigma, y)
    assert found == pytest.approx([slope, middle, slope], abs=1e-4)
    assert found[[0, 2]].max() < 1 < found[1]
    bit = ExactDenoiser(np.array([[-1.0], [1.0]]), np.array([0.5, 0.5]))
    end = flow(bit, np.array([[0.1], [-0.1]]), sigma, tol=1e-12).x[:, 0]
    assert end == pytest.approx(y[[2, 0]], abs=1e-8)


def test_one_bit_is_lost_from_one_on():
    for sigma in (1.0, 1.2, 3.0):
        assert two_state_points(0.5, sigma) == pytest.approx([0.0], abs=1e-7)


def test_the_lighter_state_vanishes_at_a_saddle_node():
    known = {0.6: 0.818782, 0.7: 0.736760, 0.85: 0.638686, 0.95: 0.558559}
    for weight, level in (known | {0.969799: 0.533127, 0.5: 1.0}).items():
        assert critical_sigma(weight) == pytest.approx(level, abs=1e-6)
        if weight > 0.5:
            assert len(two_state_points(weight, critical_sigma(weight) - 1e-3)) == 3
            assert len(two_state_points(weight, critical_sigma(weight) + 1e-3)) == 1
    for weight, y in (
        (0.85, [-0.996085, -0.292018, 0.999881]),
        (0.969799, [-0.973775, -0.611467, 0.999979]),
        (0.999, [0.999999]),
    ):
        assert two_state_points(weight, 0.5) == pytest.approx(y, abs=1e-6)


def test_the_mean_value_certificate_of_one_bit():
    sigma, radius = 0.5, 0.01
    b = 1 - np.tanh(1 / sigma**2)
    slope = (1 - np.tanh((1 - radius) / sigma**2) ** 2) / sigma**2
    assert b == pytest.approx(0.00067070, abs=1e-8)
    assert slope == pytest.approx(0.00581021, abs=1e-7)
    bound = b / (1 - slope)
    assert bound == pytest.approx(0.00067462, abs=1e-8)
    assert bound >= 1 - two_state_points(0.5, sigma)[2]


CUBE = {
    3: {0.5: 0.000951, 0.8: 0.137034, 1.0: 0.430105, 1.5: 1.003187},
    5: {0.5: 0.001347, 0.8: 0.215307, 1.0: 0.781445, 1.5: 1.667155},
}


@pytest.mark.parametrize("n", CUBE)
def test_the_composite_on_a_hypercube_has_one_attractor(n):
    cube, rng = hypercube(n), np.random.default_rng(n)
    one = np.ones((1, 1, n), int)
    parts = team(cube.states, cube.local_posteriors(one))
    starts = np.concatenate([cube.states, 2 * rng.standard_normal((16, n))])[None]
    for sigma, away in CUBE[n].items():
        found = fixed_points(Composite(parts), starts, sigma)
        assert found.count[0] == 1 and found.flow.n_steps == 2
        limit = [1.0]
        for _ in range(n - 1):
            limit.append(np.tanh(limit[-1] / sigma**2))
        assert found.flow.x[0] == pytest.approx(np.tile(limit[::-1], (2**n + 16, 1)))
        assert np.linalg.norm(found.flow.x[0, 0] - 1) == pytest.approx(away, abs=1e-6)


def test_one_agent_on_a_hypercube():
    n, sigma = 4, 0.6
    cube = hypercube(n)
    own = team(cube.states, cube.local_posteriors(np.ones((1, 1, n), int)))[1]
    found = fixed_points(own, cube.states[None], sigma)
    assert found.count[0] == 2 ** (n - 1)
    y = two_state_points(0.5, sigma)[2]
    gap = np.linalg.norm(found.flow.x[0, -1] - 1)
    assert gap == pytest.approx(np.sqrt(n - 1) * (1 - y), abs=1e-7)
    rank = jacobian_ranks(own.jacobian(found.flow.x, sigma), 1e-6)["above 0.1"]
    assert (rank == n - 1).all()


def test_shared_state_on_a_line_is_not_the_only_attractor():
    states, local = line()
    f, x = Composite(team(states, local)), np.linspace(-1, 5, 601)[None, :, None]
    found = fixed_points(f, x, 0.3, tol=1e-10)
    ends = np.unique(found.flow.x[0, :, 0].round(4))
    assert ends == pytest.approx([0, 3.9], abs=1e-4) and found.count[0] == 2
    root = brentq(lambda y: f(np.array([[[y]]]), 0.3).item() - y, 1.9, 2.1)
    assert root == pytest.approx(1.998901, abs=1e-4)
    middle = np.array([[[root]]])
    assert f.jacobian(middle, 0.3)[0, 0, 0, 0] > 1
    assert 0.4 < (np.abs(found.flow.x) < 0.5).mean() < 0.6
    for weight, share in ((0.5, 1.0), (0.55, 0.0), (0.6, 0.0), (0.7, 0.0)):
        f = Composite(team(*line(weight)))
        end = anneal(f, x, schedule(8.0, 0.1, 60, 20))
        assert (np.abs(end) < 0.5).mean() == share


def test_lines_at_an_angle():
    known = {
        (60, 0.1): (0.245074, 0.035766, 1.0, 2.232051),
        (45, 0.1): (0.490148, 0.054790, 1.0, 2.121320),
        (30, 0.2): (0.693417, 0.338564, 1.0, 1.866025),
    }
    for (angle, sigma), (rate, away, first, second) in known.items():
        env = blind_lines(np.radians(angle))
        cosine = np.cos(np.radians(angle)) ** 2 / (1 + sigma**2) ** 2
        assert env.rate(sigma) == pytest.approx(rate, abs=1e-6)
        assert env.rate(sigma) == pytest.approx(cosine, abs=1e-12)
        assert env.composite(sigma) == pytest.approx(away, abs=1e-6)
        assert env.individual() == pytest.approx([first, second], abs=1e-6)
        x = np.zeros(2)
        for _ in range(300):
            x = env.agent(1, env.agent(0, x, sigma), sigma)
        assert np.linalg.norm(x - env.truth) == pytest.approx(away, abs=1e-6)


def test_random_linear_teams():
    seen, blind = random_linear(6, (3, 3)), random_linear(6, (2, 3))
    assert seen.observable and not blind.observable
    assert seen.individual() == pytest.approx([0.845610, 0.370987], abs=1e-6)
    assert blind.individual() == pytest.approx([0.856541, 0.872730], abs=1e-6)
    levels = (0.3, 0.1, 0.03)
    assert [seen.composite(s) for s in levels] == pytest.approx(
        [0.134544, 0.028311, 0.003169], abs=1e-6
    )
    assert [blind.composite(s) for s in levels] == pytest.approx(
        [0.835032, 0.821032, 0.819151], abs=1e-6
    )
    assert blind.rate(0.1) == pytest.approx(1 / 1.01**2)


WIENER = {
    0.1: [3.9375, 1.93755, 0.937648, 0.43784, 0.18821, 0.063895, 0.002585],
    0.3: [3.9375, 1.941209, 0.948026, 0.459661, 0.227178, 0.124082, 0.08335],
    1.0: [3.9375, 2.159722, 1.409722, 1.131944, 1.041944, 1.01571, 1.008573],
}


@pytest.mark.parametrize("sigma", WIENER)
def test_shrinkage_of_low_rank_deviates_more(sigma):
    variances = 2.0 / 2 ** np.arange(6)
    found = [wiener_deviation(variances, sigma, r) for r in range(7)]
    assert found == pytest.approx(WIENER[sigma], abs=1e-6)
    s = np.random.default_rng(0).standard_normal((100_000, 6)) * np.sqrt(variances)
    shrink = variances / (variances + sigma**2) * (np.arange(6) < 3)
    square = ((s * (shrink - 1)) ** 2).sum(axis=1)
    error = square.std() / np.sqrt(len(s))
    assert square.mean() == pytest.approx(found[3], abs=4 * error)


NET = sensor_network((2, 3), 2)
HIDDEN, OBS = NET.simulate(12, 2, np.random.default_rng(0))
TRUE = NET.lump[HIDDEN[:, -1]]
LOCAL = NET.local_posteriors(OBS)


def test_possible_states_and_no_others_are_fixed_at_low_noise():
    f = ExactDenoiser(NET.states, LOCAL)
    assert (stays(f, NET.states, LOCAL.shape[:2], 0.3) == (LOCAL > 0)).all()
    assert not stays(f, NET.states, LOCAL.shape[:2], 1.5)[LOCAL == 0].any()


@pytest.mark.parametrize("sigma", [0.3, 0.6, 0.8, 0.9, 1.0, 1.2])
def test_the_exact_composite_has_one_attractor_which_is_the_state(sigma):
    rng = np.random.default_rng(1)
    starts = np.concatenate(
        [
            np.broadcast_to(NET.states, (12, 36, 9)),
            2 * rng.standard_normal((12, 16, 9)),
        ],
        axis=1,
    )
    found = fixed_points(Composite(team(NET.states, LOCAL)), starts, sigma)
    assert (found.count == 1).all() and found.flow.converged.all()
    assert (nearest(NET.states, found.flow.x)[0] == TRUE[:, None]).all()


@pytest.mark.parametrize("active", [(0, 2, 3, 5), (0, 1, 4)])
def test_fewer_sensors_that_know_the_state_do_as_well(active):
    net, rng = sensor_network((2, 3), 2, active), np.random.default_rng(2)
    obs = net.histories(1).obs
    truth = net.posterior(obs).argmax(axis=1)
    starts = np.concatenate([net.states, 2 * rng.standard_normal((16, 9))])
    starts = np.broadcast_to(starts, (36, *starts.shape))
    f = Composite(team(net.states, net.local_posteriors(obs)))
    for sigma in (0.3, 0.6, 1.0):
        found = fixed_points(f, starts, sigma)
        assert (found.count == 1).all()
        assert (nearest(net.states, found.flow.x)[0] == truth[:, None]).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 2.0))
def test_jacobians_are_derivatives(seed, sigma):
    rng = np.random.default_rng(seed)
    states, x = rng.standard_normal((5, 3)), rng.standard_normal((1, 1, 3))
    local = rng.dirichlet(np.ones(5), (2, 1))
    parts = team(states, local)
    for f in (parts[0], Composite(parts), ParallelDenoiser(parts)):
        step = 1e-5 * np.eye(3)[:, None, None]
        slope = np.concatenate(
            [(f(x + e, sigma) - f(x - e, sigma))[0] / 2e-5 for e in step]
        ).T
        assert f.jacobian(x, sigma)[0, 0] == pytest.approx(slope, abs=1e-5)
    own = parts[0].jacobian(x, sigma)[0, 0]
    assert np.linalg.eigvalsh(own)[0] > -1e-9


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 0.6))
def test_bounds_of_exact_denoisers_hold_everywhere_in_the_ball(seed, sigma):
    rng = np.random.default_rng(seed)
    states, probs = 2 * rng.standard_normal((5, 3)), rng.dirichlet(np.ones(5), 1)
    f, k, radius = ExactDenoiser(states, probs), np.array([1]), 0.2
    g, slope = exact_bounds(states, probs, k, sigma, radius)
    z = rng.standard_normal((1, 200, 3))
    z *= radius * rng.random((1, 200, 1)) / np.linalg.norm(z, axis=2, keepdims=True)
    x = states[1] + z
    assert np.linalg.norm(f(x, sigma) - states[1], axis=2).max() <= g[0] + 1e-12
    top = np.linalg.norm(f.jacobian(x, sigma), ord=2, axis=(2, 3)).max()
    assert top <= slope[0] + 1e-9


def test_certified_balls_contract_to_the_state():
    for sigma in (0.3, 0.6):
        found = certify(NET.states, LOCAL, TRUE, sigma)
        assert found.holds.all() and (found.rate < 1).all()
        rng = np.random.default_rng(3)
        z = rng.standard_normal((12, 30, 9))
        z *= found.radius[:, None, None] / np.linalg.norm(z, axis=2, keepdims=True)
        end = flow(
            Composite(team(NET.states, LOCAL)), NET.states[TRUE][:, None] + z, sigma
        ).x
        away = np.linalg.norm(end - NET.states[TRUE][:, None], axis=2)
        assert (away <= found.deviation[:, None] + 1e-9).all()
    assert not certify(NET.states, LOCAL, TRUE, 1.2).holds.any()


def test_surrogates_of_exact_denoisers_bound_the_deviation():
    f, s, sigma = ExactDenoiser(NET.states, LOCAL[1]), NET.states[TRUE], 0.7
    rng = np.random.default_rng(4)
    fit = surrogate(f, s, sigma, rng=rng)
    bound = deviation_bound(fit, f, sigma, radii=np.geomspace(1e-3, 1, 25), rng=rng)
    away = flow(f, s[:, None], sigma).x[:, 0] - s
    assert np.isfinite(bound).all()
    assert (np.linalg.norm(away, axis=1) <= bound).all()
    exact = f.jacobian(s[:, None], sigma)[:, 0]
    assert fit.A == pytest.approx(exact, abs=0.05)


def test_a_linear_map_is_its_own_surrogate():
    rng = np.random.default_rng(5)
    A, b, s = 0.1 * rng.standard_normal((3, 3)), rng.standard_normal(3), np.ones((1, 3))

    class Affine:
        def __call__(self, x, sigma):
            return s[0] + b + (x - s[0]) @ A.T

        def jacobian(self, x, sigma):
            return np.broadcast_to(A, (*x.shape, 3))

    fit = surrogate(Affine(), s, 1.0, rng=rng)
    assert fit.A[0] == pytest.approx(A) and fit.b[0] == pytest.approx(b)
    end = flow(Affine(), s[:, None], 1.0).x[0, 0]
    assert fit.shift()[0] == pytest.approx(end - 1)
    bound = deviation_bound(fit, Affine(), 1.0, radii=np.geomspace(0.1, 9, 50), rng=rng)
    assert np.linalg.norm(end - 1) <= bound[0] < np.inf


def test_experts_agree_with_bayes_at_low_noise_only():
    cube = hypercube(3)
    one = np.ones((1, 1, 3), int)
    prior = ExactDenoiser(cube.states, np.full((1, 8), 1 / 8))
    f = ExpertsDenoiser(team(cube.states, cube.local_posteriors(one)), prior)
    end = flow(f, 0.5 * np.random.default_rng(6).standard_normal((1, 20, 3)), 0.2)
    assert end.converged.all() and end.x == pytest.approx(np.ones((1, 20, 3)), abs=1e-6)


def test_sampling_a_mixture_finds_all_its_states():
    states = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    f, rng = ExactDenoiser(states, np.full((1, 3), 1 / 3)), np.random.default_rng(7)
    start = 4 * rng.standard_normal((1, 3000, 2))
    x = langevin(f, start, schedule(4.0, 0.1, 60, 20), rng)
    k, away = nearest(states, x[0])
    assert np.bincount(k, minlength=3) / 3000 == pytest.approx([1 / 3] * 3, abs=0.08)
    assert np.median(away) < 0.3


def test_five_readings_of_rank():
    flat = jacobian_ranks(np.zeros((1, 2, 2)))
    assert [flat[name].item() for name in RANKS] == pytest.approx([0, 0, 1, 0, 0])
    found = jacobian_ranks(np.diag([1.0, 0.5, 0.05])[None])
    assert found["above 0.1"] == 2 and found["above 0.01"] == 3
    assert found["nuclear"] == pytest.approx(1.55)
    assert found["stable"] == pytest.approx(1.2525)
    x = np.arange(20.0)
    assert spearman(x, x**3) == pytest.approx(1) and np.isnan(spearman(x, 0 * x))
    rho, low, high = spearman_interval(x, -x, np.random.default_rng(0), 50)
    assert [rho, low, high] == pytest.approx([-1] * 3)


def test_bad_input_is_refused():
    states, local = line()
    f = Composite(team(states, local))
    x, first = np.zeros((1, 1, 1)), np.array([0])
    for bad in (0.0, -1.0, np.nan, np.inf, "a", True):
        with pytest.raises(ValueError, match=r"sigma = .*expected a number in \[0.001"):
            check_sigma(bad)
    for message, call in (
        ("damping = 0", lambda: flow(f, x, 1.0, damping=0.0)),
        ("max_steps = 0", lambda: flow(f, x, 1.0, max_steps=0)),
        ("merge = 0", lambda: fixed_points(f, x, 1.0, merge=0.0)),
        ("n_steps = 0", lambda: schedule(2.0, 1.0, 0)),
        ("last = 0", lambda: schedule(2.0, 0.0)),
        ("h = 2", lambda: langevin(f, x, np.ones(1), np.random.default_rng(0), h=2.0)),
        ("parts: expected", lambda: Composite([])),
        ("probs: 2 numbers", lambda: ExactDenoiser(states, np.ones((1, 2)) / 2)),
        ("probs: expected prob", lambda: ExactDenoiser(states, np.ones((1, 3)))),
        ("weight = 0.4", lambda: critical_sigma(0.4)),
        ("weight = 1", lambda: two_state_points(1.0, 0.5)),
        ("angle = 4", lambda: blind_lines(4.0)),
        ("rows = ", lambda: random_linear(3, (4,))),
        ("rank = 7", lambda: wiener_deviation(np.ones(6), 1.0, 7)),
        ("orthogonal proj", lambda: LinearGaussian(np.ones(2), np.ones((1, 2, 2)))),
        ("tolerance = 0", lambda: jacobian_ranks(np.eye(2)[None], 0.0)),
        ("3 or more", lambda: spearman(np.ones(2), np.ones(2))),
        (
            "radius = -1",
            lambda: exact_bounds(states, local[0], first, 1.0, -1.0),
        ),
        ("positive prob", lambda: exact_bounds(states, local[0], first + 2, 1.0)),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="rho = 0"):
        surrogate(f, np.zeros((1, 1)), 1.0, rho=0.0, rng=rng)


def test_at_high_noise_the_one_attractor_can_be_nearer_to_another_state():
    """All 962 histories of two steps: right up to noise 1, not for all at 1.2."""
    every = NET.histories(2)
    local = NET.local_posteriors(every.obs)
    true = NET.posterior(every.obs).argmax(axis=1)
    starts = np.broadcast_to(NET.states[::9], (len(true), 4, 9))
    known = {1.0: 1.0, 1.2: 0.9918925}
    for sigma, share in known.items():
        found = fixed_points(Composite(team(NET.states, local)), starts, sigma)
        assert (found.count == 1).all()
        right = (nearest(NET.states, found.flow.x)[0] == true[:, None]).all(axis=1)
        assert every.prob @ right == pytest.approx(share, abs=1e-6)
