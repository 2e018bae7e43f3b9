"""Laws, known revenues and programs against closed forms and each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from econlib.gemnet import affine, discrete, kernels, laws, myerson, one_bidder
from econlib.valuations import Marginal

LEVELS = np.linspace(0, 1, 2**12 + 1)


@pytest.mark.parametrize("name", laws.LAWS)
def test_laws_are_what_they_say(name):
    market = laws.market(name)
    for law in (market.first, market.second):
        x = law.ppf(LEVELS)
        assert law.cdf(x) == pytest.approx(LEVELS, abs=1e-12)
        for low, high in zip(law.breaks, law.breaks[1:], strict=False):
            mass, _ = integrate.quad(law.pdf, low, high)
            assert mass == pytest.approx(law.cdf(high) - law.cdf(low), abs=1e-9)
    assert max(market.first.top, market.second.top) == 1


def test_irregular_law_is_the_mixture():
    law = laws.market("irregular").first
    x = np.linspace(0, 8, 33)
    mixed = 0.75 * stats.uniform(0, 3).cdf(x) + 0.25 * stats.uniform(3, 5).cdf(x)
    assert law.cdf(x / 8) == pytest.approx(mixed, abs=1e-12)


def test_revenue_of_a_menu_is_that_of_a_sample_of_buyers():
    rng = np.random.default_rng(0)
    for name in laws.LAWS:
        law = laws.market(name).second
        v = law.ppf(stats.qmc.Sobol(2, rng=1).random_base2(16))
        for _ in range(20):
            a, b = rng.uniform(0.05, 1.2, 2)
            c = rng.uniform(max(a, b), a + b + 0.2)
            gains = np.stack([0 * v[:, 0], v[:, 0] - a, v[:, 1] - b, v.sum(1) - c])
            paid = np.array([0, a, b, c])[gains.argmax(axis=0)].mean()
            exact = kernels.revenue(law.breaks, law.coefficients, a, b, c)
            assert exact == pytest.approx(paid, abs=2e-3)


def test_one_bidder_with_two_uniform_items():
    law = laws.market("u01").first
    best = affine.monopoly_menu(law)
    assert best == pytest.approx([2 / 3, 2 / 3, (4 - 2**0.5) / 3], abs=1e-4)
    value = kernels.revenue(law.breaks, law.coefficients, *best)
    assert value == pytest.approx((12 + 2 * 2**0.5) / 27, abs=1e-8)
    one = affine.monopoly_menu(law, unit_demand=True)
    value = kernels.revenue(law.breaks, law.coefficients, *one)
    assert value == pytest.approx(2 / 3 / 3**0.5, abs=1e-8)


def test_affine_maximiser_with_separate_boosts_sells_items_apart():
    market = laws.market("u01")
    apart = affine.AffineMaximiser.symmetric(-0.5, -1.0, -1.0)
    assert affine.affine_revenue(market, apart) == pytest.approx(5 / 6, abs=1e-6)


@given(
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
    st.lists(st.floats(-1.5, 0), min_size=5, max_size=5),
    st.floats(0.5, 2),
)
@settings(max_examples=100, deadline=None)
def test_affine_prices_implement_the_affine_maximum(values, boosts, weight):
    v = np.array(values).reshape(2, 2)
    rule = affine.AffineMaximiser(
        (weight, 1.0), tuple(boosts[:2]), tuple(boosts[2:4]), boosts[4]
    )
    w = np.array(rule.weights)[:, None] * v
    options = {(0, 0): 0.0, (1, 2): w[0, 0] + w[1, 1] + rule.split}
    options[2, 1] = w[0, 1] + w[1, 0] + rule.split
    for i in (0, 1):
        for taken, worth in ((1, w[i, 0]), (2, w[i, 1])):
            options[(taken, 0) if i == 0 else (0, taken)] = worth + rule.one[i]
        options[(3, 0) if i == 0 else (0, 3)] = w[i].sum() + rule.both[i]
    best = max(options.values())
    for i in (0, 1):
        prices = rule.prices(i, v[1 - i])
        gains = [0.0, *(np.array([v[i, 0], v[i, 1], v[i].sum()]) - prices)]
        for allocation, welfare in options.items():
            # an allocation of the most weighted welfare is a best choice of both
            if welfare > best - 1e-12:
                assert gains[allocation[i]] >= max(gains) - 1e-9


def test_tuned_affine_maximisers_beat_selling_apart_and_the_bundle():
    rule = affine.tune_boosts(laws.market("u01"), starts=1)
    assert affine.affine_revenue(laws.market("u01"), rule) > 0.8743


@pytest.mark.parametrize(
    ("bidders", "value"), [(1, 1 / 4), (2, 5 / 12), (3, 17 / 32), (4, 0.6125)]
)
def test_uniform_item(bidders, value):
    assert myerson.item_revenue([LEVELS] * bidders) == pytest.approx(value, abs=1e-6)


def test_other_items():
    beta = stats.beta(1, 2).ppf(LEVELS)
    found = [myerson.item_revenue([beta] * n) for n in (1, 2, 3)]
    assert found == pytest.approx([4 / 27, 0.256790, 0.338468], abs=1e-5)
    low = LEVELS < 0.75
    mixed = np.where(low, 4 * LEVELS, 3 + (LEVELS - 0.75) * 20)
    found = [myerson.item_revenue([mixed] * n) for n in (1, 2, 3)]
    assert found == pytest.approx([1.0, 1.764235, 2.374867], abs=1e-5)
    five = myerson.item_revenue([LEVELS * i for i in range(1, 6)])
    assert five == pytest.approx(2.29762, abs=1e-5)


def test_ironing_is_monotone_and_keeps_the_best_price():
    mixed = np.where(LEVELS < 0.75, 4 * LEVELS, 3 + (LEVELS - 0.75) * 20)
    virtual = myerson.ironed_virtual_values(mixed)
    assert (np.diff(virtual) >= -1e-12).all()
    best = (mixed * (1 - LEVELS)).max()
    assert np.maximum(virtual, 0).mean() == pytest.approx(best, abs=1e-9)


def test_bundles():
    uniform = Marginal(stats.uniform(), 0.0, 1.0).ppf
    found = [myerson.bundle_revenue([[uniform] * 2] * n) for n in (1, 2, 3)]
    # one bidder: price sqrt(2/3) for the pair sells with probability 2/3
    assert found == pytest.approx([(2 / 3) ** 1.5, 0.839244, 1.015552], abs=1e-4)


def test_vcg_of_uniform_items():
    v = np.random.default_rng(0).random((200_000, 2, 2))
    winner, paid = myerson.vcg(v)
    assert paid.mean() == pytest.approx(2 / 3, abs=3e-3)
    assert winner.min() == 0
    _, paid = myerson.vcg(v, 0.5)
    assert paid.mean() == pytest.approx(5 / 6, abs=3e-3)


@pytest.mark.parametrize(
    ("low", "high", "p", "dsic", "bic"),
    [
        (3, 7, 0.1, 13.86, 13.86),
        (3, 7, 0.3, 12.74, 12.74),
        (3, 7, 0.5, 10.75, 10.875),
        (3, 7, 0.8, 7.7024, 7.728),
        (1, 2, 0.5, 3.125, 3.1875),
        (1, 2, 0.7, 2.6441, 2.663),
    ],
)
def test_optimal_auctions_for_two_values(low, high, p, dsic, bic):
    types, chance = discrete.item_types(
        np.array([low, high], float), np.array([p, 1 - p])
    )
    found = discrete.optimal_auction(types, chance)
    assert found.revenue == pytest.approx(dsic, abs=1e-6)
    assert found.gap < 1e-7
    bayes = discrete.optimal_auction(types, chance, bayesian=True)
    assert bayes.revenue == pytest.approx(bic, abs=1e-6)


def test_an_optimal_auction_keeps_its_promises():
    types, chance = discrete.item_types(np.arange(3) / 2, np.full(3, 1 / 3))
    found = discrete.optimal_auction(types, chance)
    assert found.revenue == pytest.approx(1.160494, abs=1e-6)
    x, p = found.allocation, found.payments
    assert x.sum(axis=2).max() <= 1 + 1e-7
    for i in (0, 1):
        mine = np.moveaxis(x[:, :, i], i, 0)
        paid = np.moveaxis(p[:, :, i], i, 0)
        told = np.einsum("tj,soj->tso", types, mine) - paid[None]
        truth = np.einsum("tj,toj->to", types, mine) - paid
        assert (truth >= -1e-7).all()
        assert (truth[:, None] >= told - 1e-7).all()


def test_one_bidder_in_the_program_is_a_menu():
    types, chance = discrete.item_types(np.array([1.0, 2.0]), np.array([0.5, 0.5]))
    found = discrete.optimal_auction(types, chance, n_bidders=1)
    # the bundle at 3 sells with probability 3/4
    assert found.revenue == pytest.approx(2.25, abs=1e-7)


def test_straight_jacket_prices():
    prices = one_bidder.uniform_prices(2)
    assert prices == pytest.approx([2 / 3, (4 - 2**0.5) / 3], abs=2e-4)
    three = one_bidder.uniform_prices(3)
    assert three == pytest.approx([0.75, (3 - 0.5**0.5) / 2, 1.2257], abs=1e-3)
    known = {3: 0.8755, 4: 1.2195, 5: 1.5764, 6: 1.9433}
    for m, value in known.items():
        found = one_bidder.uniform_revenue(one_bidder.uniform_prices(m))
        assert found == pytest.approx(value, abs=1e-3)


def test_a_learnt_menu_reaches_the_optimum():
    item = Marginal(stats.uniform(), 0.0, 1.0)
    found = one_bidder.train_menu([item] * 2, n_steps=1000)
    value = one_bidder.menu_revenue(found.allocations, found.payments, [item] * 2)
    assert 0.998 < value / ((12 + 2 * 2**0.5) / 27) < 1.0005


ITEM = Marginal(stats.uniform(), 0.0, 1.0)
WIDE = [
    Marginal(stats.uniform(4, 12), 4.0, 16.0),
    Marginal(stats.uniform(4, 3), 4.0, 7.0),
]


def test_revenue_of_a_pair_is_exact_in_one_value():
    menus = [
        ([[0, 0], [1, 0], [0, 1], [1, 1]], [0, 2 / 3, 2 / 3, (4 - 2**0.5) / 3]),
        ([[0, 0], [0.5, 1], [1, 1]], [0, 8, 12]),
    ]
    known = [(12 + 2 * 2**0.5) / 27, 88 / 9]
    for (a, t), law, value in zip(menus, ([ITEM] * 2, WIDE), known, strict=True):
        found = one_bidder.pair_revenue(np.array(a, float), np.array(t, float), law)
        assert found == pytest.approx(value, rel=2e-5)
    rng = np.random.default_rng(0)
    a = np.vstack([np.zeros(2), rng.random((20, 2)), np.ones((2, 2))])
    t = np.append(0.0, 0.7 * a[1:].sum(axis=1) * rng.uniform(0.7, 1, 22))
    found = one_bidder.pair_revenue(a, t, [ITEM] * 2)
    sampled = one_bidder.menu_revenue(a, t, [ITEM] * 2, 16)
    assert found == pytest.approx(sampled, abs=2e-4)


def test_best_bundles_of_two():
    price, value = one_bidder.bundle_optimum([ITEM] * 2)
    assert price == pytest.approx((2 / 3) ** 0.5, abs=1e-6)
    assert value == pytest.approx((2 / 3) ** 1.5, abs=1e-9)
    heavy = [Marginal(stats.lomax(k), 0.0, np.inf) for k in (5, 6)]
    assert one_bidder.bundle_optimum(heavy) == pytest.approx(
        (0.357250, 0.170650), abs=1e-6
    )


def test_rare_bundles_are_kept_with_six_items():
    found = one_bidder.train_menu([ITEM] * 6, n_entries=71, n_steps=150)
    value = one_bidder.menu_revenue(
        found.allocations, found.payments, [ITEM] * 6, log2_n=15
    )
    best = one_bidder.uniform_revenue(one_bidder.uniform_prices(6, 15), 15, seed=2)
    assert value > 0.99 * best


def test_a_learnt_menu_sells_a_lottery_where_that_is_best():
    items = [
        Marginal(stats.uniform(4, 12), 4.0, 16.0),
        Marginal(stats.uniform(4, 3), 4.0, 7.0),
    ]
    found = one_bidder.train_menu(items, n_steps=1000, seed=1)
    value = one_bidder.menu_revenue(found.allocations, found.payments, items)
    assert 0.998 < value / (88 / 9) < 1.0005


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: laws.market("normal"), "name = 'normal'"),
        (
            lambda: laws.Law(np.array([0.0, 1.0]), np.array([[0.0, 2.0, 0.0]])),
            "rises from 0 to 1",
        ),
        (lambda: laws.Law(np.array([0.0]), np.zeros((1, 3))), "breaks: 1 of them"),
        (
            lambda: affine.AffineMaximiser((0.0, 1.0), (0.0, 0.0), (0.0, 0.0), 0.0),
            "weights",
        ),
        (lambda: affine.tune_boosts(laws.market("u01"), starts=0), "starts = 0"),
        (lambda: myerson.ironed_virtual_values(np.array([1.0, 0.0])), "decrease"),
        (lambda: myerson.bundle_revenue([], n=3), "n = 3"),
        (
            lambda: discrete.item_types(np.array([1.0, 2.0]), np.array([0.5, 0.6])),
            "sum 1.1",
        ),
        (
            lambda: discrete.item_types(np.array([-1.0, 2.0]), np.array([0.5, 0.5])),
            "0 or more",
        ),
        (
            lambda: discrete.optimal_auction(np.ones((64, 2)), np.full(64, 1 / 64)),
            "64 types: .* rows, expected at most 200000",
        ),
        (
            lambda: discrete.optimal_auction(np.ones((2, 2)), np.ones(2), n_bidders=0),
            "n_bidders = 0",
        ),
        (lambda: one_bidder.uniform_prices(7), "m = 7"),
        (lambda: one_bidder.uniform_prices(2, 30), "log2_n = 30"),
        (lambda: one_bidder.train_menu([], n_steps=0), "n_steps = 0"),
        (
            lambda: one_bidder.pair_revenue(np.zeros((401, 2)), np.zeros(401), WIDE),
            "401 choices",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
