"""The auction as an environment: Gymnasium's checker, invariants, the same law."""

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from econlib.sequential_auctions.environment import (
    MENUS,
    AuctionBatch,
    SequentialAuctionEnv,
)
from econlib.sequential_auctions.posted_prices import posted_prices, uniform
from econlib.sequential_auctions.settings import SETTINGS, Setting


@pytest.mark.parametrize("menu", MENUS)
@pytest.mark.parametrize("name", SETTINGS)
def test_gymnasiums_own_checker(name, menu):
    env = gymnasium.make(
        "econlib/SequentialAuction-v0",
        setting=Setting(name, 4),
        n_buyers=3,
        menu=menu,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    seen, _ = env.reset(seed=1)
    assert seen.tolist() == [1, 1, 1, 1, 0]


@pytest.mark.parametrize("menu", MENUS)
@pytest.mark.parametrize("name", SETTINGS)
def test_no_item_is_sold_twice_and_payments_are_prices(name, menu):
    setting, rng = Setting(name, 4), np.random.default_rng(2)
    batch = AuctionBatch(setting, 5, 200, menu=menu, seed=1)
    left = batch.reset()[:, :4] > 0
    for t in range(5):
        prices = batch.scale * rng.random((200, batch.n_actions))
        step = batch.step(prices)
        assert not (step.taken & ~left).any()
        left &= ~step.taken
        assert (step.seen[:, :4] > 0).tolist() == left.tolist()
        assert (step.seen[:, 4] == t + 1).all() and step.done == (t == 4)
        bought = step.taken.any(axis=1)
        if menu == "bundles":
            masks = step.taken @ (1 << np.arange(4))
            where = np.searchsorted(batch.options.masks, masks)
            due = prices[np.arange(200), where]
        else:
            due = (prices[:, :4] * step.taken).sum(axis=1) + prices[:, 4:].sum(axis=1)
        assert step.payments.tolist() == pytest.approx(np.where(bought, due, 0))
    with pytest.raises(ValueError, match="the auction is over"):
        batch.step(prices)


@pytest.mark.parametrize("name", ["A", "C", "D"])
def test_prefixes_choose_as_the_table_does(name):
    rng = np.random.default_rng(3)
    small = Setting(name, 4)
    batch = AuctionBatch(small, 3, 300, menu="entry_fee", seed=5)
    table = AuctionBatch(small, 3, 300, menu="bundles", seed=5)
    batch.reset(), table.reset()
    for _ in range(3):
        prices = batch.scale * rng.random((300, 5)) * [1, 1, 1, 1, 0.1]
        menu = prices[:, :4] @ table.options.holds.T + prices[:, 4:]
        one, other = batch.step(prices), table.step(menu)
        assert one.taken.tolist() == other.taken.tolist()
        assert one.payments.tolist() == pytest.approx(other.payments)


def test_item_prices_earn_their_closed_form_with_fifty_items():
    batch = AuctionBatch(Setting("A", 50), 8, 2000, menu="items", seed=0)
    found = posted_prices([uniform(0, 1)] * 8)
    batch.reset()
    paid = [batch.step(np.full((2000, 50), p)).payments for p in found.prices]
    total = np.sum(paid, axis=0)
    error = total.std() / np.sqrt(2000)
    assert abs(total.mean() - 50 * found.values[0]) < 4 * error


def test_a_seed_repeats_an_episode():
    env = SequentialAuctionEnv(Setting("F", 3), 4)

    def episode() -> list[float]:
        env.reset(seed=11)
        return [env.step(np.full(8, 0.6, np.float32))[1] for _ in range(4)]

    assert episode() == episode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"menu": "lottery"}, "menu = 'lottery': expected one of bundles"),
        ({"n_buyers": 0}, "n_buyers = 0: expected an integer"),
        ({"n_envs": 0}, "n_envs = 0"),
        ({"setting": Setting("A", 20)}, r"a table of 2\^20 bundles.*entry fees"),
    ],
)
def test_bad_batches(change, message):
    given = {"setting": Setting("A", 3), "n_buyers": 2, "n_envs": 4} | change
    with pytest.raises(ValueError, match=message):
        AuctionBatch(**given)


def test_bad_prices():
    batch = AuctionBatch(Setting("A", 2), 2, 3)
    batch.reset()
    with pytest.raises(ValueError, match=r"prices: shape \(3, 2\), expected numbers"):
        batch.step(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="expected numbers of shape"):
        batch.step(np.full((3, 4), np.nan))
