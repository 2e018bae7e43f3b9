"""RochetNets with offsets: the gradient, the draws, the values known exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from econlib.sequential_auctions.posted_prices import uniform
from econlib.sequential_auctions.rochet_offsets import (
    BOOK,
    OFFICIAL,
    PAPER,
    RochetOffsetConfig,
    hard_values,
    offset_gradient,
    rochet_dp,
    size_sampler,
    smooth_objective,
    train_menus,
)
from econlib.sequential_auctions.settings import Setting
from econlib.sequential_auctions.size_pricing import hard_value, price_gradient
from econlib.sequential_auctions.two_items import area_dp, best_order_two_items
from econlib.sequential_auctions.unit_demand import unit_demand_dp

QUICK = replace(BOOK, n_samples=1024, n_steps=60, n_eval=2**14)


def test_hyper_parameters_are_the_published_ones():
    assert (PAPER.n_samples, PAPER.n_steps, PAPER.lr) == (32768, 2000, 0.001)
    assert PAPER.temperature == (100, 100) and PAPER.pool == 0 and not PAPER.warm
    assert OFFICIAL == replace(PAPER, lr=0.01)
    assert PAPER.at(0) == PAPER.at(1999) == (0.001, 100.0)


@pytest.mark.parametrize("shared", [False, True])
def test_gradient_is_that_of_autograd_and_of_one_state(shared):
    g = torch.Generator().manual_seed(0)
    values = torch.rand((1 if shared else 3, 400, 5), generator=g, dtype=torch.double)
    prices, after = torch.rand((2, 3, 5), generator=g, dtype=torch.double)
    prices[:, 0] = 0.0
    prices.requires_grad_()
    smooth_objective(values, prices, after, 7.0).sum().backward()
    truth = prices.grad.clone()
    truth[:, 0] = 0.0
    found = offset_gradient(values, prices.detach(), after, 7.0)
    assert (found - truth).abs().max() < 1e-12
    for i in range(3):
        v = values[0 if shared else i].numpy()
        one = price_gradient(v, prices[i].detach().numpy(), after[i].numpy(), 7.0)
        assert found[i].tolist() == pytest.approx(one[1].tolist(), abs=1e-12)


def test_hard_values_are_those_of_one_state():
    g = torch.Generator().manual_seed(1)
    values = torch.rand((2, 500, 4), generator=g)
    values[..., 0] = 0.0
    prices, after = torch.rand((2, 2, 4), generator=g)
    prices[:, 0] = 0.0
    found, errors = hard_values(lambda n: values[:, :n], prices, after, 500)
    for i in range(2):
        one = hard_value(*(x[i].double().numpy() for x in (values, prices, after)))
        assert (found[i], errors[i]) == pytest.approx(one)


@pytest.mark.parametrize("name", ["A", "C", "D", "E", "F"])
def test_draws_have_the_law_of_best_bundles(name):
    setting = Setting(name, 5)
    drawn = size_sampler(setting, 3)(20_000).double().numpy()
    assert drawn.shape == (5, 20_000, setting.most + 1)
    for s in (1, 3, 5):
        best = setting.best_by_size(20_000, s, np.random.default_rng(s))
        for k in range(1, best.shape[1]):
            assert stats.ks_2samp(drawn[s - 1, :, k], best[:, k]).pvalue > 1e-4
        assert np.isinf(drawn[s - 1, :, s + 1 :]).all()


def test_one_buyer_two_items_reach_the_closed_form():
    sample = size_sampler(Setting("A", 2), 0)
    after = torch.zeros((2, 3))
    scale = torch.tensor([[0.0, 1, 0], [0, 1, 2]])
    menus = train_menus(sample, after, scale, replace(QUICK, n_steps=200))
    assert menus[0, 1].item() == pytest.approx(0.5, abs=0.02)
    assert menus[1].tolist() == pytest.approx(
        [0, 2 / 3, (4 - np.sqrt(2)) / 3], abs=0.03
    )


def test_dynamic_programme_reaches_exact_values():
    found = rochet_dp(Setting("A", 2), 4, QUICK)
    truth = area_dp(4).values
    error = 4 * np.sqrt((found.errors**2).cumsum(axis=0)) + 1e-3
    assert (np.abs(found.values - truth) <= error).all()
    unit = rochet_dp(Setting("C", 6), 3, QUICK)
    exact = unit_demand_dp(3, 6).values
    assert np.abs(unit.values - exact).max() < 0.01


def test_another_law_is_another_scale():
    doubled = rochet_dp(Setting("A", 3, law=uniform(0, 2)), 2, QUICK, seed=1)
    once = rochet_dp(Setting("A", 3), 2, QUICK, seed=1)
    ratio = doubled.values[1:, 1:] / once.values[1:, 1:]
    assert np.abs(ratio - 2).max() < 0.02


def test_buyers_who_differ():
    few, many = (Setting("A", 2, law=uniform(0, b)) for b in (1, 2))
    orders = best_order_two_items([1, 2])[2]
    for order, key in (((few, many), (0, 1)), ((many, few), (1, 0))):
        found = rochet_dp(order, 2, QUICK)
        assert found.values[2, 2] == pytest.approx(orders[key], abs=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_samples": 1}, "n_samples = 1: expected an integer, 2 or more"),
        ({"n_steps": 0}, "n_steps = 0"),
        ({"lr": 0.0}, r"lr = \[0.0\]: expected numbers above 0"),
        ({"temperature": (0.0, 1.0)}, "temperature"),
        ({"pool": 8}, "pool = 8: expected 0, or n_samples"),
    ],
)
def test_bad_configurations(change, message):
    with pytest.raises(ValueError, match=message):
        RochetOffsetConfig(**change)


def test_items_that_differ():
    with pytest.raises(ValueError, match=r"items differ.*try full_dp"):
        rochet_dp(Setting("B", 3), 2, QUICK)
