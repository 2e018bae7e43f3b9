"""Learned denoisers against exact ones, and their peers against what they estimate."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from econlib.decpomdp_diffusion.denoisers import Composite, team
from econlib.decpomdp_diffusion.flows import anneal, nearest, schedule, stays
from econlib.decpomdp_diffusion.learning import (
    agent_conditions,
    sample,
    team_conditions,
    train_denoiser,
)
from econlib.decpomdp_diffusion.networks import ConditionalDenoiser, LearnedDenoiser
from econlib.decpomdp_diffusion.peers import (
    VarianceCoder,
    predict,
    sample_states,
    train_coder,
    train_regression,
)
from econlib.decpomdp_diffusion.sensors import sensor_network

NET = sensor_network((2, 2), 2)
DATA = sample(NET, 6000, 1, np.random.default_rng(0))
TEST = NET.histories(1).obs
CONDITIONS = agent_conditions(DATA.features)
TEST_CONDITIONS = agent_conditions(NET.features(TEST))
LOCAL = NET.local_posteriors(TEST)
TRUE = NET.posterior(TEST).argmax(axis=1)
N_SEEDS = 2


@pytest.fixture(scope="module")
def learned() -> list[LearnedDenoiser]:
    net = ConditionalDenoiser(N_SEEDS, 5, CONDITIONS.shape[2], width=64, seed=1)
    train_denoiser(net, CONDITIONS, DATA.states, 1500, batch=128, seed=2)
    return [LearnedDenoiser(net, own) for own in TEST_CONDITIONS]


def test_the_learned_denoiser_reaches_the_exact_one(learned):
    exact = team(NET.states, LOCAL)
    z = np.random.default_rng(3).standard_normal((N_SEEDS, len(TEST), 40, 5))
    for sigma, limit in ((0.2, 0.01), (0.5, 0.03), (1.0, 0.03), (2.0, 0.03)):
        x = NET.states[TRUE][:, None] + sigma * z
        gap = [f(x, sigma) - g(x, sigma) for f, g in zip(learned, exact, strict=True)]
        assert np.mean(np.square(gap)) < limit
    wrong = [f(x, 0.5) - g(x, 0.5) for f, g in zip(learned[::-1], exact, strict=True)]
    assert np.mean(np.square(wrong)) > 0.1


def test_its_fixed_points_and_composite_are_the_exact_ones(learned):
    fixed = np.stack([stays(f, NET.states, f.shape, 0.25, within=0.5) for f in learned])
    support = np.broadcast_to((LOCAL > 0)[:, None], fixed.shape)
    assert fixed[support].mean() > 0.97 and fixed[~support].mean() < 0.1
    start = 2 * np.random.default_rng(4).standard_normal((N_SEEDS, len(TEST), 8, 5))
    end = anneal(Composite(learned), start, schedule())
    assert (nearest(NET.states, end)[0] == TRUE[:, None]).mean() > 0.97


@pytest.mark.parametrize("skip", [False, True])
def test_jacobians_of_networks_are_derivatives(skip):
    net = ConditionalDenoiser(2, 5, CONDITIONS.shape[2], width=16, skip=skip).double()
    gen = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 5, generator=gen, dtype=torch.float64)
    sigma = torch.full((2, 3, 1), 0.7, dtype=torch.float64)
    encoded = net.encode(torch.tensor(CONDITIONS[:2, :3]))
    found = net.jacobian(x, sigma, encoded)
    for k in range(5):
        step = 1e-6 * torch.eye(5, dtype=torch.float64)[k]
        slope = (net(x + step, sigma, encoded) - net(x - step, sigma, encoded)) / 2e-6
        assert torch.allclose(found[..., k], slope, atol=1e-7)


def test_the_skip_form_barely_moves_a_point_at_low_noise():
    """Untrained, at the least noise of training: one is near the identity."""
    x = np.random.default_rng(5).standard_normal((1, 3, 4, 5))
    moved = {}
    for skip in (False, True):
        net = ConditionalDenoiser(1, 5, CONDITIONS.shape[2], width=16, skip=skip)
        f = LearnedDenoiser(net, TEST_CONDITIONS[0, :3])
        moved[skip] = np.linalg.norm(f(x, 0.05) - x, axis=-1).max()
        radius = np.abs(np.linalg.eigvals(f.jacobian(x, 0.05))).max(axis=-1)
        assert (radius > 0.9).all() == skip
    assert moved[True] < 0.1 < moved[False]


def test_a_condition_does_not_know_what_its_agent_cannot_see():
    for i, own in enumerate(NET.seen):
        unseen = np.setdiff1d(np.arange(5), own)
        before = NET.states.copy()
        after = before.copy()
        after[:, unseen] *= -1
        views = [np.where(own >= 0, s[:, own] > 0, -1) for s in (before, after)]
        assert (views[0] == views[1]).all()
        code = NET.O[i].argmax(axis=1)
        shown = {tuple(NET.windows[i][c]) for c in code}
        assert shown == {tuple(row) for row in views[0].astype(float)}
    whole = team_conditions(NET.features(TEST))
    assert whole.shape == (1, len(TEST), 4 * 8 + 1)
    assert len(np.unique(whole[0], axis=0)) == len(TEST)


def test_seeds_are_independent_and_repeatable():
    def made(n_seeds: int) -> np.ndarray:
        net = ConditionalDenoiser(n_seeds, 5, CONDITIONS.shape[2], width=16, seed=3)
        train_denoiser(net, CONDITIONS, DATA.states, 20, batch=16, seed=4)
        f = LearnedDenoiser(net, TEST_CONDITIONS[0])
        return f(np.zeros((n_seeds, len(TEST), 1, 5)), 0.5)

    first, again = made(2), made(2)
    assert (first == again).all()
    assert np.abs(first[0] - first[1]).max() > 1e-3


def test_regression_is_the_posterior_mean():
    net = train_regression(CONDITIONS, DATA.states, 2, 800, width=32, batch=128)
    for i in range(NET.n_agents):
        mean = LOCAL[i] @ NET.states
        assert np.abs(predict(net, TEST_CONDITIONS[i]) - mean).mean() < 0.06


def test_the_coder_draws_possible_states():
    coder = VarianceCoder(2, 5, CONDITIONS.shape[2], width=64)
    train_coder(coder, CONDITIONS, DATA.states, 1500, batch=128)
    good = []
    for i in range(NET.n_agents):
        k, away = nearest(NET.states, sample_states(coder, TEST_CONDITIONS[i], 20))
        possible = np.take_along_axis(LOCAL[i][None, :, None] > 0, k[..., None], -1)
        good.append((possible[..., 0] & (away < 1.0)).mean())
    assert np.mean(good) > 0.7


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("width = 2: expected 4", lambda: ConditionalDenoiser(1, 5, 9, width=2)),
        ("n_seeds = 0: expected 1", lambda: ConditionalDenoiser(0, 5, 9)),
        ("variance = 0", lambda: VarianceCoder(1, 5, 9, variance=0.0)),
        (
            "dropout = 1",
            lambda: train_denoiser(
                ConditionalDenoiser(1, 5, 13, width=8),
                CONDITIONS,
                DATA.states,
                1,
                dropout=1.0,
            ),
        ),
        (
            "batch = 0: expected",
            lambda: train_regression(CONDITIONS, DATA.states, 1, 1, batch=0),
        ),
    ],
)
def test_bad_arguments_are_refused(message, call):
    with pytest.raises(ValueError, match=message):
        call()


def test_many_rows_are_taken_in_blocks(learned, monkeypatch):
    f = learned[0]
    z = np.random.default_rng(5).standard_normal((N_SEEDS, len(TEST), 7, 5))
    whole, slopes = f(z, 0.5), f.jacobian(z, 0.5)
    monkeypatch.setattr("econlib.decpomdp_diffusion.networks._ROWS", 50)
    assert f(z, 0.5) == pytest.approx(whole, abs=1e-5)
    assert f.jacobian(z, 0.5) == pytest.approx(slopes, abs=1e-5)
