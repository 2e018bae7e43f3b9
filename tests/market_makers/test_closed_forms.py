"""Closed forms: tabled values, first-order conditions, symmetry, scale."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from econlib.market_makers.closed_forms import (
    no_trade_probability,
    pays_in_kind,
    separate_profit,
    single_good,
    uniform_menu,
    uniform_profit,
    uniform_spread,
)
from econlib.market_makers.measures import finite_elements
from econlib.market_makers.polygons import menu_regions, profit_exact
from econlib.market_makers.primal import solve_primal
from econlib.valuations import Marginal, make

UNIFORM = make("uniform", 2)
BELIEF, WEIGHT = st.floats(0, 1), st.floats(0, 0.97)

# density, c, then (bid, ask, profit) at λ = 0, 1/4, 1/2, 3/4, rounded
SPREADS = [
    (
        "uniform",
        0.5,
        [
            (0.25, 0.75, 0.125),
            (0.21429, 0.78571, 0.080357),
            (0.16667, 0.83333, 0.041667),
            (0.1, 0.9, 0.0125),
        ],
    ),
    (
        "uniform",
        1 / 3,
        [
            (0.16667, 0.66667, 0.138889),
            (0.14286, 0.71429, 0.089286),
            (0.11111, 0.77778, 0.046296),
            (0.06667, 0.86667, 0.013889),
        ],
    ),
    (
        "uniform",
        0.2,
        [
            (0.1, 0.6, 0.17),
            (0.08571, 0.65714, 0.109286),
            (0.06667, 0.73333, 0.056667),
            (0.04, 0.84, 0.017),
        ],
    ),
    (
        "beta",
        0.5,
        [
            (0.31699, 0.68301, 0.087019),
            (0.28487, 0.71513, 0.053729),
            (0.23765, 0.76235, 0.025581),
            (0.1599, 0.8401, 0.006011),
        ],
    ),
    (
        "beta",
        1 / 3,
        [
            (0.21564, 0.5877, 0.108123),
            (0.19379, 0.62915, 0.067145),
            (0.16148, 0.6899, 0.032264),
            (0.10819, 0.79016, 0.007709),
        ],
    ),
    (
        "truncnorm",
        0.5,
        [
            (0.40604, 0.59396, 0.04249),
            (0.38565, 0.61435, 0.024794),
            (0.3512, 0.6488, 0.010257),
            (0.27364, 0.72636, 0.001377),
        ],
    ),
    (
        "truncnorm",
        1 / 3,
        [
            (0.27627, 0.49506, 0.085507),
            (0.26084, 0.51905, 0.052162),
            (0.23323, 0.5578, 0.023486),
            (0.16667, 0.64067, 0.003947),
        ],
    ),
]

# c, λ, separate prices, best profit, rounded
PROFITS = [
    ((0.5, 0.5), 0.0, 0.25, 0.274601),
    ((0.5, 0.5), 0.5, 0.083333, 0.092856),
    ((1 / 3, 1 / 3), 0.0, 0.277778, 0.303780),
    ((0.2, 0.2), 0.0, 0.34, 0.370104),
    ((0.2, 0.5), 0.0, 0.295, 0.321851),
    ((0.1, 0.1), 0.5, 0.136667, 0.151224),
    ((0.5, 0.0), 0.0, 0.375, 0.407407),
    ((0.1, 0.9), 0.25, 0.263571, 0.289743),
]


@pytest.mark.parametrize(("name", "c", "rows"), SPREADS)
def test_spreads_of_one_good_have_the_tabled_values(name, c, rows):
    marginal = make(name, 1).marginals[0]
    for lam, row in zip((0.0, 0.25, 0.5, 0.75), rows, strict=True):
        best = single_good(marginal, c, lam)
        assert (best.bid, best.ask) == pytest.approx(row[:2], abs=6e-6)
        assert best.profit == pytest.approx(row[2], abs=6e-7)


@settings(max_examples=40, deadline=None)
@given(c=BELIEF, lam=WEIGHT)
def test_search_finds_the_formula_for_uniform_types(c, lam):
    found = single_good(make("uniform", 1).marginals[0], c, lam)
    exact = uniform_spread(c, lam)
    assert found.profit == pytest.approx(exact.profit, abs=1e-9)
    if c > 1e-3:
        assert found.bid == pytest.approx(exact.bid, abs=1e-4)
    if c < 1 - 1e-3:
        assert found.ask == pytest.approx(exact.ask, abs=1e-4)


@pytest.mark.parametrize("name", ["beta", "truncnorm"])
def test_bid_and_ask_solve_the_first_order_conditions(name):
    marginal, c, lam = make(name, 1).marginals[0], 0.4, 0.3
    best = single_good(marginal, c, lam)
    ask, bid = np.array(best.ask), np.array(best.bid)
    sold = (1 - lam) * (ask - c) * marginal.pdf(ask) - (1 - marginal.cdf(ask))
    bought = (1 - lam) * (c - bid) * marginal.pdf(bid) - marginal.cdf(bid)
    assert (float(sold), float(bought)) == pytest.approx((0, 0), abs=1e-5)


def test_density_that_is_not_regular_agrees_with_enumeration():
    class Humps:
        """Two humps: first-order conditions have several solutions."""

        low, high = stats.beta(8, 24), stats.beta(40, 10)

        def pdf(self, x):
            return 0.5 * self.low.pdf(x) + 0.5 * self.high.pdf(x)

        def cdf(self, x):
            return 0.5 * self.low.cdf(x) + 0.5 * self.high.cdf(x)

        def ppf(self, q):
            return np.interp(
                q, self.cdf(np.linspace(0, 1, 4001)), np.linspace(0, 1, 4001)
            )

    marginal, c, lam = Marginal(Humps(), 0.0, 1.0), 0.15, 0.1
    x = np.linspace(0.05, 0.95, 500)
    assert (np.diff(marginal.virtual_value(x)) < 0).any()
    prices = np.linspace(0, 1, 2001)
    types = (np.arange(200_000) + 0.5) / 200_000
    f = marginal.pdf(types) / 200_000
    belief = lam * types + (1 - lam) * c
    best_ask = max(((p - belief) * f)[types >= p].sum() for p in prices)
    best_bid = max(((belief - p) * f)[types <= p].sum() for p in prices)
    found = single_good(marginal, c, lam)
    assert found.profit == pytest.approx(best_ask + best_bid, abs=2e-5)


def test_belief_outside_the_support_leaves_one_side():
    marginal = make("truncnorm", 1).marginals[0]
    above, below = single_good(marginal, 1.3, 0.2), single_good(marginal, -0.3, 0.2)
    assert (above.ask, below.bid) == (1.0, 0.0)
    assert above.bid > 0.3
    assert above.profit == pytest.approx(below.profit, abs=1e-8)


@pytest.mark.parametrize(("c", "lam", "separate", "best"), PROFITS)
def test_profits_of_two_goods_have_the_tabled_values(c, lam, separate, best):
    assert separate_profit(UNIFORM.marginals, c, lam) == pytest.approx(
        separate, abs=6e-7
    )
    assert uniform_profit(c, lam) == pytest.approx(best, abs=6e-7)


@pytest.mark.parametrize(
    ("lam", "best"),
    [(0.1, 0.234969), (0.25, 0.178070), (0.75, 0.027579), (0.9, 0.004841)],
)
def test_profit_at_the_centre_by_weight(lam, best):
    assert uniform_profit(0.5, lam) == pytest.approx(best, abs=6e-7)


def test_seller_is_the_known_special_case():
    assert uniform_profit(0.0, 0.0) == pytest.approx((12 + 2 * np.sqrt(2)) / 27)
    menu = uniform_menu(0.0, 0.0)
    t = {tuple(a): p for a, p in zip(menu.allocations, menu.payments, strict=True)}
    assert t[1, 0] == pytest.approx(2 / 3)
    assert t[1, 1] == pytest.approx((4 - np.sqrt(2)) / 3)


def test_mean_profit_over_beliefs_and_weights():
    x, w = np.polynomial.legendre.leggauss(24)
    x, w = (x + 1) / 2, w / 2
    total = sum(
        wi * wj * wk * uniform_profit((ci, cj), float(lk))
        for ci, wi in zip(x, w, strict=True)
        for cj, wj in zip(x, w, strict=True)
        for lk, wk in zip(x, w, strict=True)
    )
    assert total == pytest.approx(0.1414939, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(c=st.tuples(BELIEF, BELIEF), lam=WEIGHT)
def test_menu_earns_the_formula_and_freezes_trade_alike(c, lam):
    regions = menu_regions(uniform_menu(c, lam), UNIFORM, c, lam)
    assert regions.profit == pytest.approx(uniform_profit(c, lam), abs=1e-12)
    assert regions.probabilities[0] == pytest.approx(
        no_trade_probability(lam, 2), abs=1e-10
    )


@settings(max_examples=30, deadline=None)
@given(c=st.tuples(BELIEF, BELIEF), lam=WEIGHT)
def test_swapping_or_reflecting_goods_changes_nothing(c, lam):
    profit = uniform_profit(c, lam)
    assert uniform_profit(c[::-1], lam) == pytest.approx(profit, abs=1e-14)
    assert uniform_profit((1 - c[0], c[1]), lam) == pytest.approx(profit, abs=1e-14)


@settings(max_examples=30, deadline=None)
@given(c=st.tuples(BELIEF, BELIEF), lam=st.floats(0, 0.9))
def test_bundles_beat_separate_prices_and_adverse_selection_hurts(c, lam):
    profit = uniform_profit(c, lam)
    assert profit > separate_profit(UNIFORM.marginals, c, lam)
    assert uniform_profit(c, lam + 0.05) < profit


def test_prices_and_areas_at_the_centre():
    menu = uniform_menu(0.5, 0.0)
    t = {tuple(a): p for a, p in zip(menu.allocations, menu.payments, strict=True)}
    assert [
        t[k] for k in [(1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1)]
    ] == pytest.approx([5 / 6, -1 / 6, 1.430964, -0.569036, 0.430964], abs=1e-6)
    regions = menu_regions(menu, UNIFORM, 0.5, 0.0)
    single = np.abs(menu.allocations).sum(axis=1) == 1
    area, earned = regions.probabilities[1:], regions.profits[1:]
    assert area[single] == pytest.approx(0.03254, abs=5e-6)
    assert area[~single] == pytest.approx(0.13412, abs=5e-6)
    assert earned[single] == pytest.approx(0.01085, abs=5e-6)
    assert earned[~single] == pytest.approx(0.05780, abs=5e-6)


@pytest.mark.parametrize(
    ("c", "prices"),
    [
        (
            (1 / 3, 1 / 3),
            {
                (1, 0): 0.777778,
                (-1, 0): -0.111111,
                (1, 1): 1.241286,
                (-1, -1): -0.379357,
                (1, -1): 0.444444,
            },
        ),
        (
            (0.2, 0.2),
            {
                (1, 0): 0.733333,
                (-1, 0): -0.066667,
                (1, 1): 1.089543,
                (-1, -1): -0.227614,
                (1, -1): 0.478105,
            },
        ),
        (
            (0.2, 0.5),
            {
                (0, 1): 0.833333,
                (0, -1): -0.166667,
                (1, 1): 1.268524,
                (1, -1): 0.268524,
                (-1, 1): 0.617595,
                (-1, -1): -0.382405,
            },
        ),
    ],
)
def test_prices_off_the_centre(c, prices):
    menu = uniform_menu(c, 0.0)
    t = {tuple(a): p for a, p in zip(menu.allocations, menu.payments, strict=True)}
    assert {k: t[k] for k in prices} == pytest.approx(prices, abs=6e-7)


def test_areas_off_the_centre():
    menu = uniform_menu(0.2, 0.0)
    area = menu_regions(menu, UNIFORM, 0.2, 0.0).probabilities[1:]
    by = {tuple(a): p for a, p in zip(menu.allocations, area, strict=True)}
    known = {
        (-1, -1): 0.02146,
        (-1, 0): 0.02559,
        (1, 0): 0.02693,
        (1, -1): 0.09841,
        (1, 1): 0.34335,
    }
    assert {k: by[k] for k in known} == pytest.approx(known, abs=6e-6)


def test_payment_in_kind_starts_where_the_ratio_of_rooms_says():
    assert pays_in_kind(0.2, 0.0)[0, 0] == pytest.approx(0.25523 - 0.2, abs=6e-6)
    for lam in (0.0, 0.3, 0.6):
        ratio = (1 + 1 / (1 - lam)) ** 2 / 2
        edge = 1 / (1 + ratio)  # (1 - s) / s = ratio
        assert pays_in_kind(edge - 1e-4, lam)[0, 0] > 0
        assert pays_in_kind(edge + 1e-4, lam)[0, 0] < 0
    assert pays_in_kind(1 / 3, 0.0)[0, 0] == pytest.approx(0.0, abs=1e-12)


def test_corner_balance_solves_for_the_discount():
    # mass on two faces against mass inside the corner region
    m, d, h1, h2 = sympy.symbols("m delta h1 h2", positive=True)
    inside = m * ((h1 / m + d) * (h2 / m + d) - d**2 / 2)
    faces = h1 * (h2 / m + d) + h2 * (h1 / m + d)
    roots = sympy.solve(sympy.Eq(inside, faces), d)
    assert any(sympy.simplify(r - sympy.sqrt(2 * h1 * h2) / m) == 0 for r in roots)


@pytest.mark.parametrize("lam", [0.0, 0.25, 0.5, 0.75])
def test_program_in_one_dimension_agrees_with_the_formula(lam):
    for c in (0.0, 0.3, 0.5, 0.85):
        measure = finite_elements(make("uniform", 1), c, lam, 200)
        value = solve_primal(measure, c).value
        assert value == pytest.approx(uniform_spread(c, lam).profit, abs=1e-4)


def test_profit_exact_is_that_of_the_menu_and_not_of_the_formula():
    menu = uniform_menu(0.5, 0.0)
    dearer = type(menu)(menu.allocations, menu.payments + 0.02)
    assert profit_exact(dearer, UNIFORM, 0.5, 0.0) < uniform_profit(0.5, 0.0) - 1e-4


@pytest.mark.parametrize("n_items", [0, 3])
def test_no_closed_form_for_other_numbers_of_goods(n_items):
    with pytest.raises(ValueError, match=f"n_items = {n_items}: expected 1 or 2"):
        uniform_menu(0.5, 0.0, n_items)
    with pytest.raises(ValueError, match=f"n_items = {n_items}: expected 1 or 2"):
        uniform_profit(0.5, 0.0, n_items)


@pytest.mark.parametrize(
    ("c", "lam", "gain"),
    [
        (0.5, 0.0, 9.84),
        (0.5, 0.1, 10.23),
        (0.5, 0.25, 10.80),
        (0.5, 0.5, 11.43),
        (0.5, 0.75, 10.32),
        (0.5, 0.9, 6.51),
        (1 / 3, 0.0, 9.36),
        (0.2, 0.0, 8.85),
        ((0.2, 0.5), 0.0, 9.10),
        (0.1, 0.5, 10.65),
        ((0.5, 0.0), 0.0, 8.64),
        ((0.1, 0.9), 0.25, 9.93),
    ],
)
def test_gain_over_separate_prices_has_the_tabled_values(c, lam, gain):
    separate = separate_profit(UNIFORM.marginals, c, lam)
    found = 100 * (uniform_profit(c, lam) / separate - 1)
    assert found == pytest.approx(gain, abs=5.1e-3)


@pytest.mark.parametrize(
    ("name", "options", "lam", "value"),
    [
        ("beta", {}, 0.0, 0.174038),
        ("beta", {}, 0.5, 0.051162),
        ("truncnorm", {}, 0.0, 0.084980),
        ("truncnorm", {}, 0.5, 0.020514),
        ("gaussian_copula", {"correlation": 0.9}, 0.0, 0.25),
        ("gaussian_copula", {"correlation": -0.5}, 0.5, 0.083333),
        ("linear_correlation", {}, 0.0, 0.199074),
    ],
)
def test_separate_prices_of_other_laws_have_the_tabled_profit(
    name, options, lam, value
):
    found = separate_profit(make(name, 2, **options).marginals, 0.5, lam)
    assert found == pytest.approx(value, abs=1e-6)


def test_prices_and_areas_under_adverse_selection():
    menu = uniform_menu(0.5, 0.5)
    t = {tuple(a): p for a, p in zip(menu.allocations, menu.payments, strict=True)}
    found = [t[k] for k in [(1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1)]]
    tabled = [0.875, -0.125, 1.573223, -0.426777, 0.573223]
    assert found == pytest.approx(tabled, abs=6e-7)
    area = menu_regions(menu, UNIFORM, 0.5, 0.5).probabilities
    single = np.abs(menu.allocations).sum(axis=1) == 1
    assert area[0] == pytest.approx(0.5, abs=1e-12)
    assert area[1:][single] == pytest.approx(0.04956, abs=5e-6)
    assert area[1:][~single] == pytest.approx(0.07544, abs=5e-6)


@settings(max_examples=20, deadline=None)
@given(
    c=st.tuples(BELIEF, BELIEF),
    lam=WEIGHT,
    seed=st.integers(0, 10**6),
)
def test_no_change_of_prices_earns_more(c, lam, seed):
    menu, rng = uniform_menu(c, lam), np.random.default_rng(seed)
    best = uniform_profit(c, lam)
    for size in (0.2, 0.02, 0.002):
        moved = menu.payments + size * rng.normal(size=len(menu))
        changed = type(menu)(menu.allocations, moved)
        assert profit_exact(changed, UNIFORM, c, lam) <= best + 1e-12


@pytest.mark.parametrize("lam", [1.0, -0.1, float("nan")])
def test_weight_out_of_range_is_refused_by_each_form(lam):
    law = make("uniform", 1).marginals[0]
    calls = (
        lambda: uniform_spread(0.5, lam),
        lambda: single_good(law, 0.5, lam),
        lambda: uniform_menu(0.5, lam),
        lambda: uniform_profit(0.5, lam),
        lambda: pays_in_kind(0.5, lam),
        lambda: no_trade_probability(lam, 2),
        lambda: separate_profit((law,), 0.5, lam),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"expected a number in \[0, 1\)"):
            call()


@pytest.mark.parametrize("c", [-0.01, 1.2, float("nan")])
def test_belief_outside_the_box_is_refused_by_each_form(c):
    for call in (uniform_spread, uniform_menu, uniform_profit, pays_in_kind):
        with pytest.raises(ValueError, match=r"expected numbers in \[0, 1\]"):
            call(c, 0.5)


@pytest.mark.parametrize("c", [float("nan"), float("inf")])
def test_search_for_prices_needs_a_finite_belief(c):
    law = make("beta", 1).marginals[0]
    with pytest.raises(ValueError, match="expected finite numbers"):
        single_good(law, c, 0.2)
    with pytest.raises(ValueError, match="expected finite numbers"):
        separate_profit((law, law), (0.5, c), 0.2)
