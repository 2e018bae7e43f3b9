"""The commons: its known numbers, a second route, invariants, errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from econlib.social_design.harvest import HarvestLite
from econlib.social_design.schedules import rate_grid

GRID = rate_grid()
BASE = HarvestLite()


def row(*rates: float) -> int:
    """Place of a schedule of the grid of tenths."""
    return int(np.abs(GRID - rates).sum(axis=1).argmin())


@pytest.fixture(scope="module")
def best():
    return BASE.solve(GRID)


@pytest.fixture(scope="module")
def worst():
    return BASE.solve(GRID, select="worst")


HEADLINE = {
    # schedule: mean u, min u, productivity, u
    (0.0, 0.0): (1.475, 1.1, 8.0, (1.8, 1.6, 1.4, 1.1)),
    (0.5, 0.5): (1.6089, 1.104688, 8.4375, (2.1257, 1.7498, 1.4555, 1.1047)),
    (0.6, 1.0): (2.774573, 2.054281, 13.350092, (3.8432, 2.9047, 2.2961, 2.0543)),
    (0.8, 0.8): (3.22879, 2.93304, 14.76963, (4.0743, 2.9539, 2.933, 2.9539)),
    (0.9, 0.9): (3.18192, 3.079323, 14.59015, (3.2828, 3.0828, 3.0793, 3.2828)),
    (1.0, 1.0): (3.1153, 2.49316, 14.242248, (2.4932, 2.8469, 3.5606, 3.5606)),
}


@pytest.mark.parametrize("rates", HEADLINE)
def test_the_headline_schedules_have_their_values(best, rates):
    mean, least, product, each = HEADLINE[rates]
    u = best.values[row(*rates), 8]
    assert u.mean() == pytest.approx(mean, abs=2e-6)
    assert u.min() == pytest.approx(least, abs=2e-6)
    assert best.harvest[row(*rates), 8].sum() == pytest.approx(product, abs=2e-5)
    assert u.tolist() == pytest.approx(each, abs=6e-5)
    assert best.regret[row(*rates)] <= 1e-9


def test_optima_of_mean_and_least_utility(best):
    u = best.values[:, 8]
    assert u.mean(axis=1).argmax() == row(0.8, 0.8)
    assert u.min(axis=1).argmax() == row(0.9, 0.9)


def test_federal_schedules_change_nothing_here():
    rates = np.array([[0.0, 0.0], [0.1, 0.37], [0.25, 0.37]])
    u = BASE.solve(rates).values[:, 8]
    assert np.abs(u - u[0]).max() <= 1e-9


@pytest.mark.parametrize(
    ("sigma", "mean", "least", "regret"),
    [(0.3, 1.678086, 1.188, 0.0249), (0.4, 1.573662, 1.110297, 0.0082)],
)
def test_schedules_off_the_grid(sigma, mean, least, regret):
    b = 1 - sigma
    answer = BASE.solve(np.array([[b / 2, b]]))
    assert answer.values[0, 8].mean() == pytest.approx(mean, abs=2e-6)
    assert answer.values[0, 8].min() == pytest.approx(least, abs=2e-6)
    assert answer.regret[0] == pytest.approx(regret, abs=6e-5)


def test_two_rows_of_the_map(best):
    mean = best.values[:, 8].mean(axis=1).reshape(11, 11)
    high = [1.9709, 2.1256, 2.3072, 2.3823, 2.3762, 2.5225, 2.9143]
    assert mean[8, :7].tolist() == pytest.approx(high, abs=6e-5)
    low = [1.475] * 5 + [1.4582, 1.4582, 1.5670, 1.5921, 1.6657, 1.6712]
    assert mean[0].tolist() == pytest.approx(low, abs=6e-5)


def test_how_many_schedules_have_no_pure_equilibrium_somewhere(best):
    assert (~best.exact).mean() == pytest.approx(0.48, abs=0.005)
    assert best.regret.max() == pytest.approx(0.0917, abs=6e-5)


def test_pessimistic_selection(worst):
    mean = worst.values[:, 8].mean(axis=1)
    for rates, value in {
        (0.0, 0.0): 1.475,
        (0.6, 1.0): 2.72649,
        (0.8, 0.8): 3.12703,
        (0.9, 0.9): 3.12864,
        (1.0, 1.0): 3.14435,
    }.items():
        assert mean[row(*rates)] == pytest.approx(value, abs=6e-6)
    exact = np.where(worst.exact, mean, -np.inf)
    assert exact.argmax() == row(0.8, 0.9)
    assert exact.max() == pytest.approx(3.133823, abs=1e-6)
    least = np.where(worst.exact, worst.values[:, 8].min(axis=1), -np.inf)
    assert least.argmax() == row(0.9, 0.9)
    assert least.max() == pytest.approx(2.878798, abs=1e-6)


def test_planner_bounds_every_schedule(best):
    plan = BASE.solve(np.zeros((1, 2)), select="planner")
    assert plan.values[0, 8].mean() == pytest.approx(3.24859, abs=1e-6)
    assert plan.harvest[0, 8].sum() == pytest.approx(14.846785, abs=1e-6)
    efforts = BASE.profiles[plan.policy[0, 0]]
    assert efforts[8].tolist() == [2, 1, 0, 0]
    assert efforts[6].tolist() == efforts[7].tolist() == [2, 0, 0, 0]
    assert efforts[5].tolist() == [1, 0, 0, 0]
    assert (efforts[:5] == 0).all()
    every = plan.values[0].mean(axis=1)
    assert (best.values.mean(axis=2) <= every + 1e-9).all()


VARIANTS = {
    # changes: planner, free, best mean at, best least at
    "g3": ({"regrowth": 0.3}, 2.65916, 1.475, 2.63922, 2.50271),
    "g8": ({"regrowth": 0.8}, 4.12296, 1.475, 4.09762, 3.85819),
    "T4": ({"horizon": 4}, 2.35144, 1.475, 2.34968, 2.20946),
    "T12": ({"horizon": 12}, 4.14455, 1.475, 4.12332, 3.97473),
    "K12": ({"capacity": 12}, 4.73344, 2.3093, 4.6942, 4.33634),
    "equal": ({"costs": (0.1,) * 4}, 3.375, 1.8, 3.375, 3.375),
    "two": ({"costs": (0.1, 0.3)}, 6.3279, 3.66069, 6.31686, 6.16193),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants(name):
    change, planner, free, mean, least = VARIANTS[name]
    game = HarvestLite(**change)
    u = game.solve(GRID).values[:, game.s0]
    plan = game.solve(np.zeros((1, 2)), select="planner").values[0, game.s0]
    found = [plan.mean(), u[0].mean(), u.mean(axis=1).max(), u.min(axis=1).max()]
    assert found == pytest.approx([planner, free, mean, least], abs=6e-6)


QRE = {
    0.05: (
        (1.44098, 1.44034, 2.98832, 3.0225, 2.86289),
        (1.0996, 1.09461, 2.728, 2.78005, 2.25064),
    ),
    0.2: (
        (0.99037, 1.0396, 2.09257, 2.35477, 2.44362),
        (0.70003, 0.63609, 1.84733, 2.16872, 2.27731),
    ),
}


@pytest.mark.parametrize("noise", QRE)
def test_logit_play(noise):
    rates = np.array([[0, 0], [0.1, 0.37], [0.8, 0.8], [0.9, 0.9], [1, 1]])
    u = BASE.solve(rates, select=("qre", noise)).values[:, 8]
    mean, least = QRE[noise]
    assert u.mean(axis=1).tolist() == pytest.approx(mean, abs=6e-6)
    assert u.min(axis=1).tolist() == pytest.approx(least, abs=6e-6)


def slow_solution(game: HarvestLite, rates: np.ndarray) -> tuple[np.ndarray, float]:
    """The same answer by dictionaries and loops over ``itertools.product``."""
    k, n, a = game.capacity, game.n_players, game.efforts
    value = {s: np.zeros(n) for s in range(k + 1)}
    top = 0.0
    for _ in range(game.horizon):
        fresh = {}
        for s in range(k + 1):
            q = {}
            for p in itertools.product(a, repeat=n):
                d = sum(p)
                y = np.array(p, float) if d <= s else np.array(p) * s / d
                tax = rates[0] * np.minimum(y, 1) + rates[1] * np.maximum(y - 1, 0)
                left = s - min(d, s)
                law = binom.pmf(
                    np.arange(k - left + 1), k - left, game.regrowth * left / k
                )
                after = sum(w * value[left + j] for j, w in enumerate(law))
                q[p] = y - tax + tax.mean() - np.array(game.costs) * p + after
            regret = {
                p: max(
                    q[(*p[:i], b, *p[i + 1 :])][i] - q[p][i]
                    for i in range(n)
                    for b in a
                )
                for p in q
            }
            least = min(regret.values())
            near = [p for p in q if regret[p] <= least + 1e-9]
            fresh[s] = q[max(near, key=lambda p: round(q[p].sum(), 9))]
            top = max(top, least)
        value = fresh
    return value[game.s0], top


@pytest.mark.parametrize(
    ("game", "rates"),
    [
        (HarvestLite(horizon=3), (0.8, 0.8)),
        (HarvestLite((0.05, 0.4), 5, 4, 0.9, (0, 1, 3)), (0.3, 1.0)),
        (HarvestLite((0.2, 0.2, 0.5), 6, 3, 0.25, (0, 2)), (0.7, 0.1)),
    ],
)
def test_loops_in_python_give_the_same(game, rates):
    answer = game.solve(np.array([rates]))
    values, regret = slow_solution(game, np.array(rates))
    assert answer.values[0, game.s0].tolist() == pytest.approx(values.tolist())
    assert answer.regret[0] == pytest.approx(regret, abs=1e-12)


games = st.fixed_dictionaries(
    dict(
        costs=st.lists(st.floats(0, 1), min_size=1, max_size=4).map(tuple),
        capacity=st.integers(1, 9),
        horizon=st.integers(1, 5),
        regrowth=st.floats(0, 1),
    )
)
schedules = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda r: np.array([r]))


@settings(max_examples=40, deadline=None)
@given(game=games, rates=schedules)
def test_taxes_are_paid_back_and_incomes_add_up(game, rates):
    game = HarvestLite(**game)
    harvest, law = game.tables()
    assert np.abs(law.sum(axis=-1) - 1).max() <= 1e-12
    tax = game.tax(rates, harvest)
    after = harvest - tax + tax.mean(axis=-1, keepdims=True)
    assert np.abs(after.sum(axis=-1) - harvest.sum(axis=-1)).max() <= 1e-12
    answer = game.solve(rates)
    gap = answer.consumption.sum(axis=2) - answer.harvest.sum(axis=2)
    assert np.abs(gap).max() <= 1e-9


@settings(max_examples=25, deadline=None)
@given(game=games, rates=schedules)
def test_evaluation_agrees_with_the_solution_and_bounds_its_regret(game, rates):
    game = HarvestLite(**game)
    answer = game.solve(rates)
    play = game.evaluate(rates, answer.mixed)
    assert np.abs(play.utilities - answer.values).max() <= 1e-9
    most = game.horizon * answer.regret[0]
    assert play.exploitability.max() <= most + 1e-9


@settings(max_examples=25, deadline=None)
@given(game=games)
def test_without_taxes_players_keep_what_they_take(game):
    game = HarvestLite(**game)
    answer = game.solve(np.zeros((1, 2)))
    assert np.abs(answer.consumption - answer.harvest).max() <= 1e-9


def test_without_regrowth_no_schedule_takes_more_than_the_stock():
    answer = HarvestLite(regrowth=0.0).solve(rate_grid(0.5))
    assert answer.harvest[:, 8].sum(axis=1).max() <= 8 + 1e-9


@pytest.mark.parametrize("capacity", [5, 8, 12])
def test_in_a_single_step_the_free_market_takes_all_it_can(capacity):
    answer = HarvestLite(capacity=capacity, horizon=1).solve(np.zeros((1, 2)))
    assert answer.harvest[0, -1].sum() == pytest.approx(min(8, capacity))


def test_full_sharing_stops_players_whose_cost_is_above_their_share():
    answer = HarvestLite(costs=(0.3,) * 4).solve(np.ones((1, 2)))
    assert np.abs(answer.values).max() == 0 == np.abs(answer.harvest).max()


def test_permuted_costs_permute_utilities_where_the_answer_is_unique():
    order = [2, 0, 3, 1]
    costs = np.array(BASE.costs)
    one = BASE.solve(np.zeros((1, 2))).values[0, 8]
    two = HarvestLite(tuple(costs[order])).solve(np.zeros((1, 2))).values[0, 8]
    assert two.tolist() == pytest.approx(one[order].tolist())


def test_a_terminal_value_stops_a_last_grab():
    end = np.outer(np.arange(9), np.ones(4)) * 10.0
    answer = HarvestLite(horizon=1).solve(np.zeros((1, 2)), end)
    assert answer.values[0, 8].tolist() == pytest.approx([80.0] * 4)
    assert answer.harvest[0, 8].sum() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"costs": (0.1, -0.2)}, r"costs = .*: expected 1 to 256 numbers of 0 or more"),
        ({"costs": ()}, "costs = "),
        ({"regrowth": 1.5}, r"regrowth = 1.5: expected a number in \[0, 1\]"),
        ({"capacity": 0}, "capacity = 0: expected 1 to 400"),
        ({"capacity": 2.5}, "capacity = 2.5: expected a whole number"),
        ({"horizon": 0}, "horizon = 0"),
        ({"efforts": (0, 0.5)}, "efforts = .*whole numbers"),
        ({"efforts": (2, 1)}, "efforts = .*increasing"),
        ({"brackets": (0.5, 1.0)}, "brackets = .*from 0"),
        ({"start": 9}, "start = 9: expected 0 to the capacity 8"),
        ({"costs": (0.1,) * 257}, "costs = "),
        ({"regrowth": -1.0, "capacity": 0}, "capacity.*; regrowth"),
    ],
)
def test_bad_economies_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        HarvestLite(**change)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ([[0.5, 1.2]], r"rates: 1.2 found: expected numbers in \[0, 1\]"),
        ([[-0.1, 0.2]], "rates: -0.1 found"),
        ([[np.nan, 0.2]], "rates: nan found"),
        ([[0.1, 0.2, 0.3]], r"expected \(n_schedules, 2\)"),
    ],
)
def test_bad_schedules_are_refused(rates, message):
    with pytest.raises(ValueError, match=message):
        BASE.solve(np.array(rates))


def test_a_society_that_does_not_fit_is_refused_when_it_is_solved():
    with pytest.raises(ValueError, match=r"13 players .* stage payoffs, more than"):
        HarvestLite((0.1,) * 13).solve(GRID[:1])


def test_a_horizon_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"horizon = 1000000: .* GiB, over 1"):
        HarvestLite(horizon=1_000_000).solve(GRID)


def test_a_selection_or_a_terminal_table_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="select = 'nash': expected"):
        BASE.solve(GRID[:1], select="nash")
    with pytest.raises(ValueError, match="select = "):
        BASE.solve(GRID[:1], select=("qre", 0.0))
    with pytest.raises(ValueError, match="terminal: shape"):
        BASE.solve(GRID[:1], np.zeros((3, 4)))


@pytest.mark.parametrize("step", [0.0, 0.3, -0.1, 2.0])
def test_a_step_that_does_not_divide_one_is_refused(step):
    with pytest.raises(ValueError, match="step = "):
        rate_grid(step)
