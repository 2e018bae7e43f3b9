"""RegretNet and the search for lies, on mechanisms whose regret is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from econlib.gemnet import discrete, laws, menu_training, networks, regretnet
from econlib.training import generator

FINITE = (np.ones((1, 1, 1)), np.ones(1))
SUPPORT = np.tile([0.0, 1.0], (2, 2, 1))


def first_price(bidder, told):
    """Each item to the highest bid, which is paid."""
    wins = told[:, bidder] >= told.max(axis=1)
    return wins.astype(float), (wins * told[:, bidder]).sum(axis=1)


def second_price(bidder, told):
    rest = np.delete(told, bidder, axis=1).max(axis=1)
    wins = told[:, bidder] > rest
    return wins.astype(float), (wins * rest).sum(axis=1)


def test_the_search_finds_what_shading_gains():
    v = np.random.default_rng(0).random((50, 2, 2))
    found = regretnet.largest_regret(first_price, v, SUPPORT)
    rest = v[:, ::-1]
    # bid just what the other bids
    exact = np.maximum(v - rest, 0).sum(axis=2)
    assert np.abs(found.regret - exact).mean() < 1e-3
    assert (found.regret <= exact + 1e-12).all()


def test_the_second_price_has_no_regret():
    v = np.random.default_rng(0).random((50, 2, 2))
    assert regretnet.largest_regret(second_price, v, SUPPORT).regret.max() <= 1e-12


@pytest.mark.parametrize("m", [1, 3])
def test_the_search_works_for_other_sizes(m):
    v = np.random.default_rng(0).random((20, 3, m))
    support = np.tile([0.0, 1.0], (3, m, 1))
    found = regretnet.largest_regret(first_price, v, support, n_grid=512)
    exact = np.stack(
        [
            np.maximum(v[:, i] - np.delete(v, i, axis=1).max(axis=1), 0).sum(axis=1)
            for i in range(3)
        ],
        axis=1,
    )
    assert (found.regret <= exact + 1e-12).all()
    assert found.regret.mean() > 0.9 * exact.mean()


@pytest.mark.parametrize("unit_demand", [False, True])
def test_nobody_loses_and_items_are_not_sold_twice(unit_demand):
    net = regretnet.RegretNetwork(3, 2, unit_demand=unit_demand, generator=generator(0))
    v = torch.rand((200, 3, 2), generator=generator(1))
    given, paid = net(v)
    assert given.sum(dim=1).max() <= 1 + 1e-6
    assert ((given * v).sum(dim=2) >= paid).all()
    if unit_demand:
        assert given.sum(dim=2).max() <= 1 + 1e-6


def test_training_lowers_regret_and_the_search_finds_more_than_it_sees():
    sample = menu_training.law_sampler(laws.market("u01"))
    net = regretnet.RegretNetwork(2, 2, hidden=(32, 32), generator=generator(0))
    v = sample(60, np.random.default_rng(3))
    before = regretnet.largest_regret(net.mechanism, v, SUPPORT, n_grid=256)
    done = regretnet.train_regret(net, sample, n_steps=300, batch=128)
    after = regretnet.largest_regret(net.mechanism, v, SUPPORT, n_grid=256)
    assert after.regret.mean() < 0.2 * before.regret.mean()
    assert after.regret.max() > 1e-4
    assert done.regret.shape == done.revenue.shape == (300,)


def test_regret_of_finite_types_is_exact():
    types, q = discrete.item_types(np.array([1.0, 2.0]), np.array([0.5, 0.5]), 1)
    values, chance = menu_training.finite_profiles(types, q)
    net = regretnet.RegretNetwork(2, 1, hidden=(8,), unit=2.0, generator=generator(0))
    done = regretnet.train_regret(net, (values, chance), n_steps=1, lr=1e-12)
    worst = np.zeros((4, 2))
    for p, v in enumerate(values):
        for i in (0, 1):
            told = np.repeat(v[None], 2, axis=0)
            told[:, i] = types
            given, paid = net.mechanism(i, told)
            gains = (given * v[i]).sum(axis=1) - paid
            given, paid = net.mechanism(i, v[None])
            worst[p, i] = max(0.0, gains.max() - (given[0] @ v[i] - paid[0]))
    assert done.regret[0] == pytest.approx((chance @ worst).mean(), abs=1e-6)


def test_a_menu_fed_with_ones_own_value_is_caught():
    net = networks.MenuNetwork(
        2, 2, bundles=networks.deterministic_bundles(2), generator=generator(0)
    )

    def honest(i, told):
        menu = net.menus(i, told[:, 1 - i])
        found = networks.hard_choice(*menu, told[:, i])
        return found.allocation, found.payment

    def leaky(i, told):
        found = networks.hard_choice(*net.menus(i, told[:, i]), told[:, i])
        return found.allocation, found.payment

    v = np.random.default_rng(0).random((100, 2, 2))
    assert regretnet.largest_regret(honest, v, SUPPORT).regret.max() <= 1e-9
    assert regretnet.largest_regret(leaky, v, SUPPORT).regret.max() > 1e-3


def test_rationing_after_the_choice_is_caught():
    net = networks.MenuNetwork(
        2, 2, bundles=networks.deterministic_bundles(2), generator=generator(0)
    )
    with torch.no_grad():
        for z in net.parameters():
            z.zero_()
        net.head.copy_(torch.tensor([0.5, 0.5, 0.8]).expand(2, 1, 3))

    def rationed(i, told):
        done = networks.play(net, told)
        taken = done.allocation[:, 1] * (1 - done.allocation[:, 0])
        if i == 0:
            return done.allocation[:, 0], done.payments[:, 0]
        # the second bidder keeps what the first left, at its price on her menu
        _, prices = net.menus(1, told[:, 0])
        left = (taken @ [2, 1]).astype(int)
        return taken, prices[np.arange(len(left)), left]

    v = np.random.default_rng(0).random((100, 2, 2))
    found = regretnet.largest_regret(rationed, v, SUPPORT).regret
    assert found[:, 0].max() <= 1e-9
    assert found[:, 1].max() > 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: regretnet.RegretNetwork(2, 0), "n_items = 0"),
        (lambda: regretnet.RegretNetwork(2, 1, unit=-1.0), "unit = -1"),
        (
            lambda: regretnet.train_regret(
                regretnet.RegretNetwork(1, 1), FINITE, n_steps=0
            ),
            "n_steps = 0",
        ),
        (
            lambda: regretnet.largest_regret(
                first_price, np.ones((1, 2, 2)), SUPPORT, n_grid=3
            ),
            "n_grid = 3",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
