"""Learnt menus: the loss, what pruning keeps, the optimum, the trap and the way out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from econlib.data_markets.beliefs import beta_mixture, uniform
from econlib.data_markets.binary_menus import exact_revenue, uniform_stakes
from econlib.data_markets.continuum import continuum_optimum
from econlib.data_markets.experiments import (
    concentrated,
    experiment_value,
    outside_option,
)
from econlib.data_markets.few_items import dirichlet_grid
from econlib.data_markets.menu_nets import (
    ExperimentMenus,
    binary_sampler,
    judge_binary,
    menu_loss,
    pruned,
    train_menus,
)
from econlib.training import generator

MIXTURE = beta_mixture((0.5, 0.5), ((8, 30), (60, 30)))
QUICK = {"n_items": 16, "n_steps": 800, "batch": 256}


@pytest.mark.parametrize("m", [2, 3])
def test_utilities_are_values_of_experiments_less_staying_out_and_price(m):
    net = ExperimentMenus(2, 5, m, generator=generator(0))
    with torch.no_grad():
        net.prices.uniform_(0, 0.3, generator=generator(1))
    rng = np.random.default_rng(0)
    θ, v = rng.dirichlet(np.ones(m), (2, 30)), rng.uniform(0.5, 2, (2, 30))
    u = net(torch.tensor(θ).float(), torch.tensor(v).float()).detach().numpy()
    assert (u[..., 0] == 0).all()
    for i in range(2):
        π = net.experiments()[i].detach().double().numpy()
        π = π / π.sum(-1, keepdims=True)
        gain = experiment_value(π, θ[i], v[i]) - outside_option(θ[i], v[i])[:, None]
        assert u[i, :, 1:] == pytest.approx(
            gain - net.prices[i].detach().numpy(), abs=2e-5
        )


def test_signals_recommend_states_at_the_start():
    π = ExperimentMenus(3, 20, 3, generator=generator(0)).experiments()
    trace = torch.diagonal(π, dim1=-2, dim2=-1).sum(-1)
    for order in ([1, 0, 2], [2, 1, 0], [1, 2, 0]):
        other = torch.diagonal(π[..., order], dim1=-2, dim2=-1).sum(-1)
        assert (trace >= other - 1e-6).all()


def test_hard_temperature_gives_minus_the_exact_revenue():
    net = ExperimentMenus(1, 2, generator=generator(0))
    π, p = concentrated([-0.2, 0.0]), np.array([0.137, 0.255])
    with torch.no_grad():
        net.logits[0] = torch.tensor(0.2 * np.log(np.maximum(π, 1e-9))).float()
        net.prices[0] = torch.tensor(p).float()
    θ, v = binary_sampler([MIXTURE])(20_000, generator(3))
    loss = menu_loss(net(θ, v), net.prices, torch.tensor([1e-6]))
    assert -float(loss[0].detach()) == pytest.approx(
        exact_revenue(π, p, MIXTURE), abs=2e-4
    )


def test_draws_follow_the_law_and_the_stakes():
    θ, v = binary_sampler([uniform(), MIXTURE], [1.0, 0.5])(5000, generator(0))
    level = np.sort(MIXTURE.cdf(θ[1, :, 0].double().numpy()))
    assert np.abs(level - (np.arange(5000) + 0.5) / 5000).max() < 1e-3
    assert (v[0] == 1).all() and float(v[1].mean()) == pytest.approx(0.75, abs=1e-3)
    both = np.corrcoef(θ[1, :, 0].numpy(), v[1].numpy())
    assert abs(both[0, 1]) < 0.01


def test_pruning_keeps_what_is_taken():
    net = ExperimentMenus(2, 6, generator=generator(0))
    with torch.no_grad():
        net.prices.fill_(5.0)
        net.prices[0, 3] = 0.05
        net.logits[0, 3] = torch.eye(2)
    kept = pruned(net, binary_sampler([uniform(), uniform()]), generator(1))
    assert net.prices.shape == (2, 1)
    assert [len(k) for k in kept] == [1, 1]
    assert float(net.prices[0, 0].detach()) == pytest.approx(0.05)


@pytest.mark.parametrize("seed", [0, 1])
def test_nets_reach_the_optimum_and_do_not_exceed_its_bound(seed):
    laws = [uniform(), MIXTURE, beta_mixture((0.4, 0.6), ((6, 25), (50, 30)))]
    learned = train_menus(binary_sampler(laws), 3, seed=seed, **QUICK)
    for (revenue, _, p), law in zip(judge_binary(learned, laws), laws, strict=True):
        best = continuum_optimum(law)
        assert 0.995 * best.revenue <= revenue <= best.bound
        assert 1 <= len(p) <= 2
    assert learned.n_items[0].min() > learned.n_items[-1].max()


def test_a_start_beside_the_optimum_leaves_the_one_item_trap():
    law = beta_mixture((0.7, 0.3), ((8, 30), (60, 30)))
    best = continuum_optimum(law)
    start = (concentrated([-0.2, 0.0]), np.array([0.15, 0.23]))
    learned = train_menus(
        binary_sampler([law]), 1, seed=0, starts=[start], n_items=4, n_steps=800
    )
    revenue, π, _ = judge_binary(learned, [law])[0]
    assert len(π) == 2 and revenue > 0.998 * best.revenue


def test_stakes_and_three_states():
    laws, stakes = [MIXTURE], [uniform_stakes(0.75)]
    learned = train_menus(binary_sampler(laws, [0.75]), 1, seed=0, **QUICK)
    assert judge_binary(learned, laws, stakes)[0][0] > 0.1415
    θ, f = dirichlet_grid((1.0,), ((1, 1, 1),), 8)
    cdf = np.cumsum(f)

    def sample(batch, rng):
        at = (np.arange(batch) + float(torch.rand(1, generator=rng))) / batch
        pick = θ[np.minimum(np.searchsorted(cdf, at), len(θ) - 1)]
        return torch.tensor(pick).float()[None], torch.ones(1, batch)

    learned = train_menus(sample, 1, seed=0, n_states=3, n_items=8, n_steps=300)
    assert learned.experiments[0].shape[1:] == (3, 3)
    assert learned.soft_revenue[-1, 0] > 0.1


def test_bad_arguments():
    with pytest.raises(ValueError, match="n_items = 0"):
        ExperimentMenus(1, 0)
    with pytest.raises(ValueError, match="n_states = 7"):
        ExperimentMenus(1, 1, 7)
    with pytest.raises(ValueError, match="lows"):
        binary_sampler([uniform()], [1.5])
    with pytest.raises(ValueError, match="temperatures"):
        train_menus(binary_sampler([uniform()]), 1, seed=0, temperatures=(0.0, 1e-3))
    with pytest.raises(ValueError, match="n_steps = 0"):
        train_menus(binary_sampler([uniform()]), 1, seed=0, n_steps=0)
