"""Measures, primal and dual: mass, direction of the bounds, strong duality."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.market_makers.closed_forms import uniform_menu, uniform_profit
from econlib.market_makers.dual import slackness, solve_dual
from econlib.market_makers.measures import (
    Measure,
    finite_elements,
    grid_points,
    upper_measure,
)
from econlib.market_makers.model import Menu
from econlib.market_makers.polygons import profit_exact
from econlib.market_makers.primal import (
    lp_menu,
    richardson,
    sandwich,
    solve_primal,
    upper_bound,
)
from econlib.valuations import make

UNIFORM = make("uniform", 2)
LAWS = [
    UNIFORM,
    make("uniform", 1),
    make("beta", 2),
    make("truncnorm", 2),
    make("gaussian_copula", 2, correlation=0.9),
    make("linear_correlation", 2, weight=0.5),
    make("small_box", 2, base=(0.6, 0.4), size=0.2),
]
# c, λ, bounds on 24 and 48 cells, the program on 24 cells, rounded
BOUNDS = [
    ((0.5, 0.5), 0.0, 0.276910, 0.275174, 0.273872),
    ((0.5, 0.5), 0.5, 0.094039, 0.093099, 0.092593),
    ((1 / 3, 1 / 3), 0.0, 0.306641, 0.304461, 0.302969),
    ((0.2, 0.2), 0.0, 0.372873, 0.370801, 0.369043),
    ((0.2, 0.5), 0.0, 0.324306, 0.322493, 0.320942),
    ((0.1, 0.1), 0.5, 0.153009, 0.151649, 0.150362),
    ((0.5, 0.0), 0.0, 0.409722, 0.407986, 0.407118),
    ((0.1, 0.9), 0.25, 0.292144, 0.290294, 0.289062),
]
# n, c, λ, common value, frozen value
DUALS = [
    (8, (0.5, 0.5), 0.0, 0.26367188, 0.26367188),
    (8, (0.5, 0.5), 0.5, 0.08984375, 0.08984375),
    (10, (0.2, 0.2), 0.0, 0.36625, 0.67950),
    (10, (0.2, 0.5), 0.0, 0.31750, 0.46750),
    (10, (0.1, 0.3), 0.25, 0.244125, 0.59475),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: f"{law.name}{law.n_items}")
@pytest.mark.parametrize("measure", [finite_elements, upper_measure])
def test_total_mass_is_minus_one(law, measure):
    found = measure(law, 0.3, 0.4, 12)
    assert found.masses.sum() == pytest.approx(-1.0, abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), lam=st.floats(0, 0.9))
def test_upper_measure_dominates_profit_of_any_menu(seed, lam):
    rng = np.random.default_rng(seed)
    c = rng.uniform(0, 1, 2)
    a = rng.uniform(-1, 1, (5, 2))
    menu = Menu(a, a @ c + rng.uniform(-0.1, 0.3, 5))
    direct = profit_exact(menu, UNIFORM, c, lam)
    for n in (4, 12):
        above = upper_measure(UNIFORM, c, lam, n)
        assert above.masses @ menu.utility(above.points) >= direct - 1e-12
    close = finite_elements(UNIFORM, c, lam, 40)
    assert close.masses @ menu.utility(close.points) == pytest.approx(direct, abs=4e-3)


@pytest.mark.parametrize(("c", "lam", "coarse", "fine", "program"), BOUNDS)
def test_bounds_have_the_tabled_values_and_close_in(c, lam, coarse, fine, program):
    exact = uniform_profit(c, lam)
    first = upper_bound(UNIFORM, c, lam, 24)
    assert first == pytest.approx(coarse, abs=6e-7)
    measure = finite_elements(UNIFORM, c, lam, 24)
    primal = solve_primal(measure, c)
    assert primal.value == pytest.approx(program, abs=6e-7)
    assert primal.max_violation < 1e-7
    menu = lp_menu(primal, measure, UNIFORM)
    assert profit_exact(menu, UNIFORM, c, lam) <= exact + 1e-12 <= first
    if c == (0.5, 0.5) and lam == 0:
        second = upper_bound(UNIFORM, c, lam, 48)
        assert second == pytest.approx(fine, abs=6e-7)
        assert (first - exact) / (second - exact) == pytest.approx(4, abs=0.5)
        assert richardson(first, second) == pytest.approx(exact, abs=2e-4)


@settings(max_examples=8, deadline=None)
@given(c=st.tuples(st.floats(0, 1), st.floats(0, 1)), lam=st.floats(0, 0.95))
def test_bounds_hold_for_any_belief_and_weight(c, lam):
    exact = uniform_profit(c, lam)
    bracket = sandwich(UNIFORM, c, lam, 10)
    assert bracket.lower <= exact + 1e-10 <= bracket.upper + 2e-10


def test_barycentres_and_corners_the_other_way_round_are_no_bound():
    # positive mass gathered, negative mass spread: the trap that the bound avoids
    n, c, lam = 8, 0.5, 0.0
    axis = np.linspace(0, 1, n + 1)
    middle = (axis[1:] + axis[:-1]) / 2
    points = [np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)]
    hats = np.full(n + 1, 1 / n)
    hats[[0, -1]] /= 2
    masses = [-3 * np.outer(hats, hats).ravel()]
    for i in range(2):
        for end in (0.0, 1.0):
            points.append(np.insert(middle[:, None], i, end, axis=1))
            masses.append(np.full(n, 0.5 / n))
    wrong = Measure(np.concatenate(points), np.concatenate(masses))
    assert solve_primal(wrong, c).value < uniform_profit(c, lam)


@pytest.mark.parametrize(
    ("name", "options", "lam", "value"),
    [
        ("beta", {}, 0.0, 0.19219),
        ("beta", {}, 0.5, 0.05840),
        ("truncnorm", {}, 0.0, 0.09142),
        ("gaussian_copula", {"correlation": 0.5}, 0.0, 0.27089),
        ("gaussian_copula", {"correlation": 0.9}, 0.0, 0.26202),
        ("gaussian_copula", {"correlation": 0.9}, 0.5, 0.08811),
        ("small_box", {"base": (0.4, 0.4), "size": 0.2}, 0.0, 0.05464),
        ("small_box", {"base": (0.5, 0.5), "size": 0.5}, 0.0, 0.27417),
        ("small_box", {"base": (0.6, 0.6), "size": 0.2}, 0.0, 0.26295),
        ("small_box", {"base": (0.6, 0.6), "size": 0.4}, 0.0, 0.36248),
        ("small_box", {"base": (0.6, 0.6), "size": 0.2}, 0.5, 0.09365),
        ("small_box", {"base": (0.6, 0.4), "size": 0.2}, 0.0, 0.15144),
        ("small_box", {"base": (0.52, 0.4), "size": 0.2}, 0.0, 0.09300),
    ],
)
def test_programs_of_other_laws_have_the_tabled_values(name, options, lam, value):
    measure = finite_elements(make(name, 2, **options), 0.5, lam, 16)
    # the tabled copulas are not normalised for what Gauss points miss at the corners
    off = 2e-4 if options.get("correlation") == 0.9 else 2e-5
    assert solve_primal(measure, 0.5).value == pytest.approx(value, abs=off)


@pytest.mark.parametrize(("lam", "value"), [(0.0, 0.2220), (0.5, 0.0741)])
def test_sheared_values_bracket_the_tabled_menu(lam, value):
    # the table's grid is square and ours sheared, so that programs differ at finite n
    bracket = sandwich(make("linear_correlation", 2, weight=0.5), 0.5, lam, 24)
    assert bracket.lower == pytest.approx(value, abs=3e-4)
    assert value <= bracket.upper


def test_correlation_reversed_is_good_two_reflected():
    c, lam = np.array([0.3, 0.6]), 0.2
    values = [
        solve_primal(
            finite_elements(make("gaussian_copula", 2, correlation=r), b, lam, 12), b
        ).value
        for r, b in ((0.5, c), (-0.5, np.array([0.3, 0.4])))
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-9)


def test_utility_need_not_be_monotone():
    measure = finite_elements(UNIFORM, 0.5, 0.0, 8)
    slopes = solve_primal(measure, 0.5).slopes
    assert slopes.min() == pytest.approx(-1.0)
    assert slopes.max() == pytest.approx(1.0)


def test_program_is_solved_on_flat_and_sheared_supports():
    for law in (
        make("linear_correlation", 2, weight=0.95),
        make("small_box", 2, base=(0.9, 0.0), size=(0.05, 1.0)),
    ):
        bracket = sandwich(law, 0.0, 0.5, 10)
        assert 0 < bracket.lower <= bracket.upper


def test_all_pairs_hold_in_three_dimensions():
    measure = finite_elements(make("uniform", 3), 0.0, 0.0, 4)
    primal = solve_primal(measure, 0.0)
    p, u, g = measure.points, primal.utilities, primal.slopes
    excess = (g @ p.T - (g * p).sum(1)[:, None] + u[:, None] - u[None]).max()
    assert excess < 1e-7
    assert primal.max_violation == pytest.approx(max(excess, 0.0), abs=1e-9)


@pytest.mark.parametrize(("n", "c", "lam", "value", "frozen"), DUALS)
def test_duals_meet_the_primal_and_frozen_misses_it(n, c, lam, value, frozen):
    measure = finite_elements(UNIFORM, c, lam, n)
    primal = solve_primal(measure, c)
    assert primal.value == pytest.approx(value, abs=1e-7)
    free = solve_dual(measure, c, "multiplier")
    assert free.value == pytest.approx(value, abs=1e-7)
    assert free.multiplier.sum() == pytest.approx(1.0, abs=1e-8)
    assert max(map(abs, slackness(primal, free, measure).values())) < 1e-6
    assert solve_dual(measure, c, "belief").value == pytest.approx(value, abs=1e-7)
    assert solve_dual(measure, c, "frozen").value == pytest.approx(frozen, abs=1e-6)
    at = np.abs(measure.points - np.array(c)).max(axis=1).argmin()
    assert primal.utilities[at] < 1e-8


def test_plan_carries_the_measure():
    measure = finite_elements(UNIFORM, (0.3, 0.6), 0.3, 6)
    plan = solve_dual(measure, (0.3, 0.6))
    moved = plan.plan + plan.spreads
    out = np.asarray(moved.sum(axis=1)).ravel() - np.asarray(moved.sum(axis=0)).ravel()
    assert out == pytest.approx(measure.masses + plan.multiplier, abs=1e-8)
    centre = plan.spreads @ measure.points
    stay = np.asarray(plan.spreads.sum(axis=1)) * measure.points
    assert centre == pytest.approx(stay, abs=1e-8)
    distance = np.abs(measure.points[:, None] - measure.points[None]).sum(-1)
    assert plan.plan.multiply(distance).sum() == pytest.approx(plan.value, abs=1e-8)


def test_dual_refuses_what_it_cannot_do():
    measure = finite_elements(UNIFORM, 0.33, 0.0, 4)
    with pytest.raises(ValueError, match="variant = 'freed': expected one of"):
        solve_dual(measure, 0.33, "freed")
    with pytest.raises(ValueError, match="expected a point of the grid"):
        solve_dual(measure, 0.33, "belief")
    with pytest.raises(ValueError, match="at most 700"):
        solve_dual(finite_elements(UNIFORM, 0.5, 0.0, 30), 0.5)


@pytest.mark.parametrize(
    ("n", "message"),
    [
        (0, "n = 0: expected an integer, 1 or more"),
        (True, "n = True: expected an integer"),
        (3000, r"n = 3000: 9006001 points need about \d+ GiB, expected at most 4 GiB"),
    ],
)
def test_grids_that_cannot_be_are_refused_before_they_are_built(n, message):
    with pytest.raises(ValueError, match=message):
        grid_points(UNIFORM, n)


@pytest.mark.parametrize("lam", [1.0, -0.5])
def test_weights_out_of_range_are_refused(lam):
    with pytest.raises(ValueError, match=r"expected a number in \[0, 1\)"):
        finite_elements(UNIFORM, 0.5, lam, 4)
    with pytest.raises(ValueError, match=r"expected a number in \[0, 1\)"):
        uniform_menu(0.5, lam)


def test_belief_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="c = "):
        finite_elements(UNIFORM, (0.5, float("nan")), 0.0, 4)
