"""Learners reach the optimum, on any number of goods, and never exceed it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from econlib.market_makers.closed_forms import (
    single_good,
    uniform_menu,
    uniform_profit,
)
from econlib.market_makers.learning import (
    conditional_menus,
    menu_loss,
    train_conditional,
    train_menus,
)
from econlib.market_makers.model import profit
from econlib.market_makers.polygons import profit_exact, stacked_profit_uniform
from econlib.menus import ConditionalMenuNet
from econlib.training import generator
from econlib.valuations import make

UNIFORM = make("uniform", 2)


def _quiet(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # short fits still move
        return train_menus(*args, **options)


def test_loss_at_a_hard_temperature_is_minus_the_profit():
    menu, c, lam = uniform_menu((0.3, 0.6), 0.25), np.array([0.3, 0.6]), 0.25
    types = UNIFORM.sample(50_000, generator(0), torch.float64)
    full = menu.with_no_trade()
    a, t = torch.as_tensor(full.allocations), torch.as_tensor(full.payments)
    utilities = types @ a.T - t
    belief = lam * types + (1 - lam) * torch.as_tensor(c)
    soft = menu_loss(utilities[None], a[None], t[None], belief[None], 1e7)
    hard = profit(menu, types.numpy(), c, lam).mean()
    assert float(soft[0]) == pytest.approx(-hard, abs=1e-6)


def test_soft_profit_may_exceed_what_the_hard_choice_earns():
    # why only hard, exact profit counts
    menu = uniform_menu(0.5, 0.0)
    types = UNIFORM.sample(20_000, generator(1), torch.float64, even=True)
    a = torch.as_tensor(menu.with_no_trade().allocations)
    t = torch.as_tensor(menu.with_no_trade().payments)
    belief = torch.full_like(types, 0.5)
    utilities = types @ a.T - t
    soft = [
        -float(menu_loss(utilities[None], a[None], t[None], belief[None], τ)[0])
        for τ in (8.0, 20.0, 1e6)
    ]
    assert max(soft[:2]) != pytest.approx(soft[2], abs=1e-3)
    assert soft[2] == pytest.approx(uniform_profit(0.5, 0.0), abs=2e-3)


@pytest.mark.parametrize("seed", [0, 1])
def test_learner_reaches_the_optimum_across_the_ranges(seed):
    settings = [
        ((0.5, 0.5), 0.0),
        ((0.1, 0.9), 0.25),
        ((0.0, 0.4), 0.6),
        ((0.85, 0.3), 0.9),
    ]
    learnt = train_menus(
        [UNIFORM] * len(settings),
        np.array([c for c, _ in settings]),
        np.array([lam for _, lam in settings]),
        seed=seed,
        n_steps=3000,
    )
    assert learnt.fit.converged
    for menu, (c, lam) in zip(learnt.menus, settings, strict=True):
        ratio = profit_exact(menu, UNIFORM, c, lam) / uniform_profit(c, lam)
        assert 0.995 <= ratio <= 1 + 1e-9


def test_learner_of_one_good_and_another_law():
    law = make("beta", 1)
    learnt = _quiet(
        [law], np.array([[0.4]]), np.array([0.3]), seed=0, n_entries=16, n_steps=800
    )
    x = (np.arange(100_000)[:, None] + 0.5) / 100_000
    f = law.pdf(x) / len(x)
    earned = profit(learnt.menus[0], x, np.array([0.4]), 0.3) @ f
    best = single_good(law.marginals[0], 0.4, 0.3).profit
    assert 0.99 * best <= earned <= best * (1 + 1e-6)


def test_same_seed_same_menus_and_snapshots_lead_to_them():
    kw = {"n_steps": 40, "batch": 64, "n_entries": 8, "n_snapshots": 3}
    args = ([UNIFORM], np.array([[0.5, 0.5]]), np.zeros(1))
    one, two = (_quiet(*args, seed=7, **kw) for _ in range(2))
    assert np.array_equal(one.menus[0].payments, two.menus[0].payments)
    other = _quiet(*args, seed=8, **kw)
    assert not np.array_equal(one.menus[0].payments, other.menus[0].payments)
    steps = [step for step, _ in one.snapshots]
    assert steps == sorted(set(steps))
    assert steps[-1] == 40
    assert np.array_equal(one.snapshots[-1][1][0].payments, one.menus[0].payments)


def test_learner_refuses_bad_settings():
    args = {"seed": 0, "n_steps": 1}
    with pytest.raises(ValueError, match="n_entries = -3: expected an integer"):
        train_menus([UNIFORM], np.zeros((1, 2)), np.zeros(1), n_entries=-3, **args)
    with pytest.raises(ValueError, match=r"lam = 1.0: expected a number in \[0, 1\)"):
        train_menus([UNIFORM], np.zeros((1, 2)), np.ones(1), **args)
    with pytest.raises(ValueError, match="device = 'abacus'"):
        train_menus([UNIFORM], np.zeros((1, 2)), np.zeros(1), device="abacus", **args)


def test_one_network_serves_all_beliefs():
    net = ConditionalMenuNet(3, 24, 2, low=-1.0, generator=generator(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        train_conditional(net, UNIFORM, seed=0, n_steps=800, batch=256)
    draws = make("uniform", 3).sample(200, generator(1), torch.float64, even=True)
    c, lam = draws[:, :2], draws[:, 2]
    with torch.no_grad():
        a, t = conditional_menus(net, UNIFORM, c.float(), lam.float())
    earned = stacked_profit_uniform(
        a[:, 1:].double().numpy(), t[:, 1:].double().numpy(), c.numpy(), lam.numpy()
    )
    best = np.array(
        [
            uniform_profit(b, float(w))
            for b, w in zip(c.numpy(), lam.numpy(), strict=True)
        ]
    )
    assert earned.mean() >= 0.98 * best.mean()
    assert (earned <= best + 1e-9).all()
