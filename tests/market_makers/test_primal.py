"""The program: by hand, against searched prices, tables, symmetry, menus."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from econlib.market_makers.closed_forms import single_good, uniform_profit
from econlib.market_makers.measures import Measure, finite_elements, upper_measure
from econlib.market_makers.polygons import menu_regions
from econlib.market_makers.primal import (
    lp_menu,
    richardson,
    sandwich,
    solve_primal,
    upper_bound,
)
from econlib.programs import SolverError
from econlib.valuations import Marginal, make

UNIFORM = make("uniform", 2)
BELIEF = st.tuples(st.floats(0, 1), st.floats(0, 1))
# c, λ, bound on 48 cells, extrapolated bound, rounded
FINE_BOUNDS = [
    ((0.5, 0.5), 0.5, 0.093099, 0.092785),
    ((1 / 3, 1 / 3), 0.0, 0.304461, 0.303735),
    ((0.2, 0.2), 0.0, 0.370801, 0.370110),
    ((0.2, 0.5), 0.0, 0.322493, 0.321889),
    ((0.1, 0.1), 0.5, 0.151649, 0.151196),
    ((0.5, 0.0), 0.0, 0.407986, 0.407407),
    ((0.1, 0.9), 0.25, 0.290294, 0.289677),
]


def _estimate(law, c, lam: float, n: int) -> float:
    return solve_primal(finite_elements(law, c, lam, n), c).value


def test_four_cells_by_hand():
    # masses 1/4, -1/2, -1/2, -1/2, 1/4: worth it only at both ends, slope 1 for 1/4
    measure = finite_elements(make("uniform", 1), 0.5, 0.0, 4)
    found = solve_primal(measure, 0.5)
    assert measure.masses == pytest.approx([0.25, -0.5, -0.5, -0.5, 0.25], abs=1e-15)
    assert found.utilities == pytest.approx([0.25, 0, 0, 0, 0.25], abs=1e-9)
    assert found.value == pytest.approx(1 / 8, abs=1e-12)
    assert found.bound == pytest.approx(1 / 8, abs=1e-9)


@pytest.mark.parametrize(("c", "lam"), [(0.15, 0.1), (0.5, 0.0), (0.8, 0.5)])
def test_density_that_is_not_regular_agrees_with_the_search_for_prices(c, lam):
    def f(x):
        return (stats.beta(8, 24).pdf(x) + stats.beta(40, 10).pdf(x)) / 2

    class Humps:
        pdf = staticmethod(f)

        def cdf(self, x):
            return (stats.beta(8, 24).cdf(x) + stats.beta(40, 10).cdf(x)) / 2

    n, fine = 240, 40
    x = (np.arange(n * fine) + 0.5) / (n * fine)
    cell, local = np.arange(n * fine) // fine, (x * n) % 1.0
    weight, drift = f(x) / (n * fine), (1 - lam) * (x - c) * n
    masses = np.bincount(cell, (-drift - (1 - local)) * weight, n + 1)
    masses += np.bincount(cell + 1, (drift - local) * weight, n + 1)
    measure = Measure(np.linspace(0, 1, n + 1)[:, None], masses)
    best = single_good(Marginal(Humps(), 0.0, 1.0), c, lam)
    # the estimate is off by h² times slopes of the density (below 40)
    assert solve_primal(measure, c).value == pytest.approx(best.profit, abs=4e-4)


@pytest.mark.parametrize("name", ["beta", "truncnorm"])
@pytest.mark.parametrize("lam", [0.0, 0.5])
def test_one_good_agrees_with_the_search_for_prices(name, lam):
    law, c = make(name, 1), 1 / 3
    best = single_good(law.marginals[0], c, lam).profit
    assert _estimate(law, c, lam, 200) == pytest.approx(best, abs=1e-4)  # about h²
    # gathered masses lie unevenly: nearest neighbours alone do not join all points
    assert best - 1e-9 <= upper_bound(law, c, lam, 200) <= best + 1e-4


@settings(max_examples=8, deadline=None)
@given(c=BELIEF, lam=st.floats(0, 0.95))
def test_swapping_or_reflecting_goods_changes_nothing(c, lam):
    value = _estimate(UNIFORM, c, lam, 6)
    for other in (c[::-1], (1 - c[0], c[1]), (1 - c[0], 1 - c[1])):
        assert _estimate(UNIFORM, other, lam, 6) == pytest.approx(value, abs=1e-9)


@settings(max_examples=8, deadline=None)
@given(c=BELIEF, scale=st.floats(0.05, 3), shift=st.floats(-1, 1))
def test_value_scales_with_the_box(c, scale, shift):
    law = make("small_box", 2, base=(shift, shift), size=scale)
    moved = tuple(shift + scale * x for x in c)
    value = _estimate(UNIFORM, c, 0.2, 6)
    assert _estimate(law, moved, 0.2, 6) == pytest.approx(scale * value, abs=1e-8)


@settings(max_examples=6, deadline=None)
@given(c=BELIEF, low=st.floats(0, 0.4), high=st.floats(0.5, 0.95))
def test_value_falls_in_the_weight_and_is_convex_in_it(c, low, high):
    # for each menu profit is affine in the weight, and its slope is not positive
    first, last = _estimate(UNIFORM, c, low, 6), _estimate(UNIFORM, c, high, 6)
    middle = _estimate(UNIFORM, c, (low + high) / 2, 6)
    assert first >= middle - 1e-9
    assert middle >= last - 1e-9
    assert middle <= (first + last) / 2 + 1e-9


@pytest.mark.parametrize(("c", "lam", "fine", "extrapolated"), FINE_BOUNDS)
def test_fine_bounds_have_the_tabled_values(c, lam, fine, extrapolated):
    exact = uniform_profit(c, lam)
    first, second = (upper_bound(UNIFORM, c, lam, n) for n in (24, 48))
    assert second == pytest.approx(fine, abs=6e-7)
    assert first > second >= exact
    # rounding of the table's two bounds, and the error of an extrapolation
    assert richardson(first, second) == pytest.approx(extrapolated, abs=2e-6)
    assert richardson(first, second) == pytest.approx(exact, abs=2e-4)


def test_extrapolation_is_exact_for_a_quadratic_error():
    assert richardson(3 + 4 * 0.7, 3 + 0.7) == pytest.approx(3.0, abs=1e-15)


@pytest.mark.parametrize(
    ("name", "options", "c", "lam", "n", "value"),
    [
        ("truncnorm", {}, 0.5, 0.5, 16, 0.02419),
        ("truncnorm", {}, 0.5, 0.0, 32, 0.09493),
        ("beta", {}, 1 / 3, 0.0, 16, 0.23658),
        ("beta", {}, 0.5, 0.0, 32, 0.19300),
        ("beta", {}, 0.5, 0.5, 32, 0.05878),
        ("gaussian_copula", {"correlation": 0.5}, 0.5, 0.5, 16, 0.09135),
        ("small_box", {"base": (0.4, 0.4), "size": 0.2}, 0.5, 0.0, 32, 0.05483),
    ],
)
def test_further_programs_have_the_tabled_values(name, options, c, lam, n, value):
    law = make(name, 2, **options)
    # rounding; the tabled copula is not normalised
    assert _estimate(law, c, lam, n) == pytest.approx(value, abs=1.2e-5)


@pytest.mark.parametrize("n", [16, 32])
@pytest.mark.parametrize(("lam", "values"), [(0.0, (0.21899, 0.22140))])
def test_sheared_law_on_a_square_grid_has_the_tabled_values(n, lam, values):
    # the table's grid: hat functions on squares, types (x1, (x1 + y) / 2)
    rng = np.linspace(0, 1, 32 * n + 1)
    side = (rng[1:] + rng[:-1]) / 2
    x1, y = (z.ravel() for z in np.meshgrid(side, side, indexing="ij"))
    x = np.stack([x1, (x1 + y) / 2], axis=1)
    cells = np.minimum((x * n).astype(int), n - 1)
    local, w = x * n - cells, 1 / len(x)
    masses = np.zeros((n + 1, n + 1))
    for i in (0, 1):
        for j in (0, 1):
            h1 = local[:, 0] if i else 1 - local[:, 0]
            h2 = local[:, 1] if j else 1 - local[:, 1]
            d1, d2 = (2 * i - 1) * n * h2, (2 * j - 1) * n * h1
            part = (1 - lam) * (d1 * (x1 - 0.5) + d2 * (x[:, 1] - 0.5)) - h1 * h2
            np.add.at(masses, (cells[:, 0] + i, cells[:, 1] + j), part * w)
    axis = np.linspace(0, 1, n + 1)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    value = solve_primal(Measure(points, masses.ravel()), 0.5).value
    assert value == pytest.approx(values[n == 32], abs=2e-4)
    # ours follows the shear, and is closer to the optimum
    law = make("linear_correlation", 2, weight=0.5)
    assert value < _estimate(law, 0.5, lam, n) < 0.2223


def _read_out(name: str, lam: float, n: int = 32, **options):
    law = make(name, 2, **options)
    measure = finite_elements(law, 0.5, lam, n)
    menu = lp_menu(solve_primal(measure, 0.5), measure, law)
    regions = menu_regions(menu, law, 0.5, lam)
    kept = np.flatnonzero(regions.probabilities[1:] > 5e-3)
    trades = {
        tuple(np.round(menu.allocations[k], 3) + 0.0): (
            menu.payments[k],
            regions.probabilities[k + 1],
        )
        for k in kept
    }
    return trades, regions


def test_truncated_normal_types_are_offered_pairs_alone():
    trades, regions = _read_out("truncnorm", 0.0)
    assert sorted(trades) == [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    prices = {k: v[0] for k, v in trades.items()}
    assert prices[1, 1] == pytest.approx(1 + 5 / 32, abs=1e-6)
    assert prices[1, -1] == pytest.approx(5 / 32, abs=1e-6)
    # |z1| + |z2| < 5/4 is a square turned by 45 degrees, of half-side 5/4/sqrt 2;
    # the four standard deviations that are cut off are 1e-4. (Tabled: .393, .1517,
    # from a grid of types.)
    inside = (2 * stats.norm.cdf(1.25 / np.sqrt(2)) - 1) ** 2
    assert inside == pytest.approx(0.3884, abs=5e-5)
    assert regions.probabilities[0] == pytest.approx(inside, abs=2e-4)
    shares = [v[1] for v in trades.values()]
    assert shares == pytest.approx([(1 - inside) / 4] * 4, abs=1e-4)


def test_belief_below_a_small_box_sells_the_pair_alone():
    for size, price, share in ((0.2, 1.3125, 0.842), (0.4, 1.4625, 0.785)):
        trades, _ = _read_out("small_box", 0.0, base=(0.6, 0.6), size=size)
        assert list(trades) == [(1, 1)]
        assert trades[1, 1] == pytest.approx((price, share), abs=1e-3)


def test_good_one_is_sold_only_with_a_trade_of_good_two():
    trades, _ = _read_out("small_box", 0.0, base=(0.6, 0.4), size=0.2)
    assert sorted(trades) == [(1, -1), (1, 1)]
    assert trades[1, 1][0] == pytest.approx(1.1875, abs=1e-6)
    assert trades[1, -1][0] == pytest.approx(0.1875, abs=1e-6)


def test_lotteries_are_sold_where_the_belief_is_near_the_box():
    trades, _ = _read_out("small_box", 0.0, base=(0.52, 0.4), size=0.2)
    shares = {k: v[1] for k, v in trades.items()}
    assert shares == pytest.approx(
        {(1, 1): 0.296, (1, -1): 0.296, (0.222, 1): 0.047, (0.222, -1): 0.047}, abs=2e-3
    )
    assert trades[0.222, 1][0] == pytest.approx(0.692, abs=1e-3)
    assert trades[0.222, -1][0] == pytest.approx(-0.308, abs=1e-3)


def test_correlated_types_pay_for_one_good_with_part_of_the_other():
    trades, _ = _read_out("gaussian_copula", 0.0, correlation=0.5)
    assert trades[1, 1] == pytest.approx((1.5, 0.170), abs=1.5e-3)
    assert trades[1, -1] == pytest.approx((0.34, 0.087), abs=5e-3)
    assert trades[1, -0.2] == pytest.approx((0.71, 0.030), abs=3e-3)
    assert trades[0.2, -1] == pytest.approx((-0.09, 0.030), abs=3e-3)


def test_three_goods_have_the_tabled_bounds():
    law = make("uniform", 3)
    assert _estimate(law, 0.0, 0.0, 8) == pytest.approx(0.87122, abs=6e-6)
    assert upper_bound(law, 0.0, 0.0, 8) == pytest.approx(0.9238, abs=6e-5)


@settings(max_examples=6, deadline=None)
@given(
    c=BELIEF,
    lam=st.floats(0, 0.9),
    name=st.sampled_from(["uniform", "beta", "gaussian_copula", "linear_correlation"]),
)
def test_bracket_holds_a_menu_that_earns_what_it_says(c, lam, name):
    law = make(name, 2)
    bracket = sandwich(law, c, lam, 8)
    again = menu_regions(bracket.menu, law, c, lam)
    assert bracket.lower == again.profit
    assert bracket.regions.profit == bracket.lower
    assert bracket.lower <= bracket.upper
    assert bracket.estimate <= bracket.upper + 1e-9


def test_bound_of_the_duals_is_not_below_the_value():
    for law in (UNIFORM, make("beta", 2), make("gaussian_copula", 2, correlation=0.9)):
        found = solve_primal(upper_measure(law, (0.2, 0.7), 0.3, 10), (0.2, 0.7))
        assert found.value - 1e-9 <= found.bound <= found.value + 1e-6


def test_program_given_up_is_an_error_and_not_a_menu():
    measure = upper_measure(make("beta", 3), 0.3, 0.0, 4)
    found = solve_primal(measure, 0.3)
    assert found.n_rounds > 1
    assert found.max_violation < 1e-7
    with pytest.raises(SolverError, match="still violated after 1 rounds"):
        solve_primal(measure, 0.3, max_rounds=1)


def test_belief_that_does_not_fit_is_refused():
    measure = finite_elements(UNIFORM, 0.5, 0.0, 3)
    with pytest.raises(ValueError, match="expected 1 or 2 numbers"):
        solve_primal(measure, (0.1, 0.2, 0.3))
    with pytest.raises(ValueError, match="expected finite numbers"):
        sandwich(UNIFORM, float("nan"), 0.0, 3)
