"""The one-step economy against closed forms, known tables and fine grids of incomes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from econlib.social_design import welfare
from econlib.social_design.majority import majority_relation, single_peaked
from econlib.social_design.one_step import (
    OneStep,
    rate_grid,
    simple_labor_skills,
    us_federal,
)

SKILLS = [1, 1.5, 2, 3, 5]


@pytest.fixture
def economy():
    return OneStep(SKILLS, 0.5)


@pytest.mark.parametrize(
    "tau, productivity, equality, eq_prod, least, mean",
    [
        (0.0, 22.042037, 0.461944, 2.036436, 0.666667, 2.938938),
        (0.417522, 16.822536, 0.686594, 2.310051, 1.701122, 2.711257),
        (0.489626, 15.746937, 0.725390, 2.284534, 1.785097, 2.613599),
        (0.607277, 13.813226, 0.788693, 2.178878, 1.841763, 2.400993),
        (2 / 3, 12.725976, 0.820648, 2.088709, 1.825097, 2.262396),
    ],
)
def test_linear_taxes(economy, tau, productivity, equality, eq_prod, least, mean):
    found = economy.linear(tau).measures()
    known = (productivity, equality, eq_prod, least, mean)
    assert list(found.values()) == pytest.approx(known, abs=2e-5)  # six-digit rates


@pytest.mark.parametrize(
    "e, free, eq_prod, median, at_median, poorest, least, best, rate, us",
    [
        (
            0.25,
            16.463403,
            1.768512,
            0.526216,
            2.132661,
            0.735812,
            1.888504,
            2.135631,
            0.567938,
            1.946997,
        ),
        (
            0.5,
            22.042037,
            2.036436,
            0.417522,
            2.310051,
            0.607277,
            1.841763,
            2.313215,
            0.380486,
            2.259223,
        ),
        (
            1,
            41.25,
            2.775,
            0.34,
            3.06009,
            0.467742,
            2.195565,
            3.107877,
            0.246575,
            3.147535,
        ),
    ],
)
def test_table_of_three_elasticities(
    e, free, eq_prod, median, at_median, poorest, least, best, rate, us
):
    economy = OneStep(SKILLS, e)
    none = economy.linear(0.0).measures()
    assert (none["productivity"], none["eq_prod"]) == pytest.approx((free, eq_prod))
    wishes = economy.preferred_rates()
    assert wishes[[0, 2]] == pytest.approx((poorest, median), abs=1e-6)
    assert economy.linear(wishes[2]).value("eq_prod") == pytest.approx(at_median)
    assert economy.linear(wishes[0]).value("min") == pytest.approx(least)
    assert economy.best_linear("min") == pytest.approx((poorest, least), abs=1e-6)
    assert economy.best_linear("eq_prod") == pytest.approx((rate, best), abs=1e-6)
    assert economy.brackets(*us_federal()).value("eq_prod") == pytest.approx(us)


def test_federal_brackets_raise_equality_times_productivity(economy):
    found = economy.brackets(*us_federal()).measures()
    known = (19.661264, 0.574537, 2.259223, 1.155891, 2.886096)
    assert list(found.values()) == pytest.approx(known, abs=1e-6)


def test_best_linear_rate_falls_as_the_exponent_rises(economy):
    found = [economy.best_linear(p) for p in (1, 0.5, 0, -1, -5)]
    known = [0, 0.265017, 0.357349, 0.444497, 0.542883]
    assert [rate for rate, _ in found] == pytest.approx(known, abs=2e-6)
    assert economy.best_linear("mean") == (0.0, pytest.approx(2.938938))
    assert economy.best_linear("nash")[0] == pytest.approx(0.357349, abs=2e-6)


def test_best_brackets_of_the_five_percent_grid(economy):
    grid, cutoffs = rate_grid(0.05, 4), [0, 1, 2, 4]
    assert grid.shape == (185_220, 4)
    for objective, rates, value in (
        ("eq_prod", (0, 0, 0.6, 0.2), 2.428845),
        ("min", (0.7, 1, 0.65, 0.5), 1.936426),
        ("nash", (0, 0.45, 0.6, 0.2), None),
    ):
        best, found = economy.best_brackets(grid, cutoffs, objective)
        assert best == pytest.approx(rates)
        assert value is None or found == pytest.approx(value, abs=1e-6)
    for rates, known in (
        ((0, 0, 0.6, 0.2), (19.484697, 0.623270, 2.428845, 1.412570, 2.859927)),
        ((0.7, 1, 0.65, 0.5), (13.527502, 0.779967, 2.110201, 1.936426, 2.331208)),
        ((0, 0.45, 0.6, 0.2), (19.010023, 0.632596, 2.405132, 1.715190, 2.837511)),
    ):
        found = list(economy.brackets(rates, cutoffs).measures().values())
        assert found == pytest.approx(known, abs=1e-6)


def test_bracket_incomes_are_best_on_a_fine_grid_of_incomes():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n_brackets = int(rng.integers(1, 5))
        cutoffs = np.append(0, np.sort(rng.uniform(0.2, 8, n_brackets - 1)))
        rates = np.round(rng.random(n_brackets), 2)
        economy = OneStep(rng.uniform(0.5, 4, 3), rng.uniform(0.2, 2))
        found = economy.brackets(rates, cutoffs)
        z = np.linspace(0, 1.05 * economy.free_incomes.max(), 100_000)
        z = np.append(z, cutoffs)  # kinks, between whose neighbours a step costs more
        ends = np.append(cutoffs[1:], np.inf)
        tax = sum(
            r * np.clip(z - low, 0, high - low)
            for r, low, high in zip(rates, cutoffs, ends, strict=True)
        )
        for i, w in enumerate(economy.skills):
            k = economy.power
            grid = (z - tax - (z / w) ** k / k).max()
            own = found.utilities[i] - found.taxes.mean()
            assert grid - 1e-12 <= own < grid + 1e-6


def test_tax_paid_is_that_of_the_schedule_and_the_budget_balances():
    rng = np.random.default_rng(1)
    economy, cutoffs = OneStep(rng.uniform(0.5, 5, 7), 0.7), np.array([0, 0.5, 2, 3.5])
    rates = rng.random((1000, 4))
    found = economy.brackets(rates, cutoffs)
    room = np.append(np.diff(cutoffs), np.inf)
    slices = np.clip(found.incomes[..., None] - cutoffs, 0, room)
    assert found.taxes == pytest.approx((slices * rates[:, None]).sum(axis=-1))
    gap = found.consumption.sum(axis=1) - found.incomes.sum(axis=1)
    assert np.abs(gap).max() < 1e-12 * found.incomes.sum(axis=1).max()


def test_equal_rates_in_all_brackets_are_a_linear_tax(economy):
    rates = np.linspace(0, 1, 11)
    found = economy.brackets(np.repeat(rates[:, None], 3, axis=1), [0, 1, 3])
    linear = economy.linear(rates)
    assert found.incomes == pytest.approx(linear.incomes)
    assert found.utilities == pytest.approx(linear.utilities)
    again = economy.respond(rates), economy.respond([0.2, 0.3], [0, 1])
    assert again[0].utilities == pytest.approx(linear.utilities)
    assert again[1].incomes == pytest.approx(
        economy.brackets([0.2, 0.3], [0, 1]).incomes
    )


def test_workers_bunch_at_a_kink_and_jump_over_a_falling_rate():
    economy = OneStep([1.0], 1.0)
    assert economy.brackets([0.0, 0.9], [0, 0.5]).incomes[0] == pytest.approx(0.5)
    assert economy.brackets([0.0, 0.3], [0, 0.8]).incomes[0] == pytest.approx(0.8)
    jumped = economy.brackets([0.9, 0.0], [0, 0.2]).incomes[0]
    assert jumped == pytest.approx(1.0)


def test_preferred_rates_are_best_and_the_median_worker_decides(economy):
    grid = np.linspace(0, 1, 1001)
    u = economy.linear(grid).utilities.T
    assert single_peaked(u).all()
    wishes = economy.preferred_rates()
    assert grid[u.argmax(axis=1)] == pytest.approx(wishes, abs=1e-3)
    relation = majority_relation(u)
    assert grid[relation.winner] == pytest.approx(np.median(wishes), abs=1e-3)
    assert relation.cycles == 0


def test_relative_incomes_do_not_depend_on_the_rate(economy):
    z = economy.linear([0.1, 0.5, 0.9]).incomes
    assert z / z.mean(axis=1, keepdims=True) == pytest.approx(
        np.tile(economy.free_incomes / economy.free_incomes.mean(), (3, 1))
    )


def test_votes_on_bracket_schedules_have_no_winner_and_many_cycles():
    economy = OneStep([1, 2, 3], 0.5)
    levels = (0, 0.25, 0.5, 0.75)
    rates = np.array(list(itertools.product(levels, repeat=4)))
    relation = majority_relation(economy.brackets(rates, [0, 1, 3, 6]).utilities.T)
    assert relation.winner is None and len(relation.undefeated) == 0
    assert (relation.decided, relation.cycles) == (32_192, 138_752)
    three = economy.brackets(
        [(0, 0, 0, 0), (0, 0.25, 0, 0), (0, 0, 0.25, 0)], [0, 1, 3, 6]
    ).utilities
    known = [
        (0.6667, 1.8856, 3.4641),
        (0.9541, 1.7622, 3.2516),
        (0.7917, 2.0106, 3.125),
    ]
    assert three == pytest.approx(np.array(known), abs=1e-4)
    assert majority_relation(three.T).cycles == 1


def test_objectives_are_the_welfare_functions(economy):
    found = economy.linear([0.2, 0.4])
    c, u = found.consumption, found.utilities
    assert found.value("eq_prod") == pytest.approx(welfare.eq_prod(c))
    assert found.value("inverse_income") == pytest.approx(welfare.inverse_income(c, u))
    assert found.value(-np.inf) == pytest.approx(found.value("min"))
    assert found.value(1) == pytest.approx(found.value("mean"))


def test_best_of_schedules_does_not_depend_on_the_size_of_parts():
    rng = np.random.default_rng(3)
    many = OneStep(rng.uniform(1, 5, 40_000), 0.5)  # parts of 100 schedules
    rates = rate_grid(0.25, 3)[:150]
    best, value = many.best_brackets(rates, [0, 1, 3], "eq_prod")
    values = np.concatenate(
        [
            many.brackets(rates[i : i + 50], [0, 1, 3]).value("eq_prod")
            for i in (0, 50, 100)
        ]
    )
    assert value == values.max()
    assert best.tolist() == rates[values.argmax()].tolist()


def test_grid_of_rates():
    assert rate_grid(0.5, 2).tolist() == [
        [0, 0],
        [0, 0.5],
        [0.5, 0],
        [0.5, 0.5],
        [1, 0],
        [1, 0.5],
    ]
    assert len(rate_grid(0.1, 2, top_below_one=False)) == 121
    assert rate_grid(0.3, 1, top_below_one=False).ravel().tolist() == [
        0,
        0.3,
        0.6,
        0.9,
        1,
    ]


def test_skills_of_the_ai_economist():
    w = simple_labor_skills(10, np.random.default_rng(0))
    assert (np.diff(w) > 0).all() and w[0] > 1 and w[-1] < 3
    # the least of ten Lomax draws with exponent 4 has mean 1/39
    assert w[0] == pytest.approx(1 + 2 / 39, abs=0.01)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: OneStep([1, 0], 0.5), r"skills = \[1, 0\]"),
        (lambda: OneStep([], 0.5), r"skills = \[\]"),
        (lambda: OneStep([1], 0), r"elasticity = 0: .*\(0, 10\]"),
        (lambda: OneStep([1], 0.5).linear(1.2), r"tau = 1.2: .*\[0, 1\]"),
        (lambda: OneStep([1], 0.5).linear(np.nan), r"tau = nan"),
        (lambda: OneStep([1], 0.5).brackets([0.1, 1.1], [0, 1]), r"rates.*\[0, 1\]"),
        (lambda: OneStep([1], 0.5).brackets([0.1], [0, 1]), r"rates: shape \(1,\)"),
        (lambda: OneStep([1], 0.5).brackets([0.1, 0.2], [1, 2]), "cutoffs = .*from 0"),
        (lambda: OneStep([1], 0.5).brackets([0.1, 0.2], [0, 0]), "cutoffs"),
        (lambda: OneStep([1], 0.5).linear(0.1).value("happy"), "objective = 'happy'"),
        (lambda: OneStep([1], 0.5).best_brackets(np.empty((0, 1)), [0], "min"), "one"),
        (lambda: rate_grid(0, 2), r"step = 0: .*\(0, 1\]"),
        (lambda: rate_grid(0.01, 5), "at most five million"),
        (lambda: rate_grid(0.1, 0), "n_brackets = 0"),
        (lambda: us_federal(0), "scale = 0"),
        (lambda: simple_labor_skills(0, np.random.default_rng(0)), "n = 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
