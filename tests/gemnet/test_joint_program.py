"""The joint program against linear programs, its certificate, and wrong forms of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from econlib.gemnet import (
    discrete,
    joint_program,
    menu_training,
    networks,
    offers,
    tables,
)
from econlib.training import generator


def two_values(low, high, p, n_items=2, bundles=None, unit_demand=False):
    types, q = discrete.item_types(
        np.array([low, high], float), np.array([p, 1 - p]), n_items
    )
    _, chance = menu_training.finite_profiles(types, q)
    if bundles is None:
        bundles = offers.deterministic_bundles(n_items, unit_demand=unit_demand)
    net = networks.MenuNetwork(
        2, n_items, bundles=bundles, unit=float(high), generator=generator(0)
    )
    return types, q, chance, tables.tabulate(net, (types, types))


def random_table(seed, n_cells=6, n=2):
    """One item, cells of equal width, prices at random."""
    rng = np.random.default_rng(seed)
    centres = (np.arange(n_cells) + 0.5)[:, None] / n_cells
    widths = np.full_like(centres, 0.5 / n_cells)
    rows = n_cells ** (n - 1)
    bundles = np.tile(np.array([[0.0], [1.0]]), (rows, 1, 1))
    prices = [
        np.pad(rng.uniform(0.1, 0.9, (rows, 1)), ((0, 0), (1, 0))) for _ in "x" * n
    ]
    chance = np.full(n_cells**n, float(n_cells) ** -n)
    return (
        tables.MenuTable((centres,) * n, (widths,) * n, (bundles,) * n, tuple(prices)),
        chance,
    )


@pytest.mark.parametrize(
    ("low", "high", "p"), [(3, 7, 0.3), (3, 7, 0.5), (1, 2, 0.5), (1, 2, 0.7)]
)
def test_the_program_reaches_the_optimal_auction(low, high, p):
    types, q, chance, table = two_values(low, high, p)
    best = discrete.optimal_auction(types, q).revenue
    done = joint_program.repair(table, chance, objective="revenue", most=best)
    assert tables.clashes(done.table) == 0
    assert done.revenue == pytest.approx(best, abs=1e-6)


def test_unit_demand_reaches_its_optimum():
    types, q = discrete.item_types(np.arange(3) / 2, np.full(3, 1 / 3))
    best = discrete.optimal_auction(types, q, unit_demand=True).revenue
    _, chance = menu_training.finite_profiles(types, q)
    bundles = offers.deterministic_bundles(2, unit_demand=True)
    net = networks.MenuNetwork(2, 2, bundles=bundles, unit_demand=True)
    table = tables.tabulate(net, (types, types))
    done = joint_program.repair(table, chance, objective="revenue", most=best)
    assert tables.clashes(done.table) == 0
    assert done.revenue == pytest.approx(best, abs=1e-6)


def test_truth_is_best_in_the_repaired_menus():
    types, _, chance, table = two_values(3, 7, 0.5)
    done = joint_program.repair(table, chance, objective="revenue").table
    given, paid = tables.play_table(done)
    given, paid = given.reshape(4, 4, 2, 2), paid.reshape(4, 4, 2)
    for own, other, lie in itertools.product(range(4), repeat=3):
        for i, (at, told) in enumerate(
            (((own, other), (lie, other)), ((other, own), (other, lie)))
        ):
            truth = given[at][i] @ types[own] - paid[at][i]
            assert truth >= given[told][i] @ types[own] - paid[told][i] - 1e-7
            assert truth >= -1e-7


def test_compatible_menus_are_left_alone_and_others_can_always_be_repaired():
    for seed in range(5):
        table, chance = random_table(seed)
        assert tables.clashes(table) > 0
        done = joint_program.repair(table, chance)
        assert tables.clashes(done.table) == 0 and done.change > 1e-3
        again = joint_program.repair(done.table, chance)
        assert again.change == 0


def test_no_sampled_value_in_any_cell_sells_twice():
    table, chance = random_table(1)
    done = joint_program.repair(table, chance).table
    rng = np.random.default_rng(0)
    # values in cells, their borders among them
    v = rng.random((20_000, 2))
    v[:5000] = np.round(v[:5000] * 6) / 6
    cells = np.minimum((v * 6).astype(int), 5)
    wins = [v[:, i] >= done.prices[i][cells[:, 1 - i], 1] for i in (0, 1)]
    assert not (wins[0] & wins[1]).any()
    before = [v[:, i] >= table.prices[i][cells[:, 1 - i], 1] for i in (0, 1)]
    assert (before[0] & before[1]).any()


def test_three_bidders_are_repaired_together():
    table, chance = random_table(0, n_cells=2, n=3)
    done = joint_program.repair(table, chance)
    assert tables.clashes(table) > 0 == tables.clashes(done.table)


def test_a_lottery_that_fits_is_no_clash():
    half = np.array([[[0.0], [0.5]]])
    price = np.array([[0.0, 0.1]])
    one = np.array([[1.0]])
    table = tables.MenuTable((one, one), (0 * one,) * 2, (half,) * 2, (price,) * 2)
    assert tables.clashes(table) == 0
    more = tables.MenuTable((one, one), (0 * one,) * 2, (1.2 * half,) * 2, (price,) * 2)
    assert tables.clashes(more) == 1


def test_a_margin_against_references_alone_is_caught_by_the_certificate():
    caught = []
    for seed in range(4):
        table, chance = random_table(seed)
        wrong = joint_program.repair(table, chance, form="reference")
        caught.append(tables.clashes(wrong.table))
    assert min(caught) > 0


def test_a_margin_against_all_elements_gives_up_every_sale():
    for seed in range(4):
        table, chance = random_table(seed)
        much = joint_program.repair(table, chance, form="all")
        done = joint_program.repair(table, chance)
        assert tables.clashes(much.table) == 0
        assert much.change > 2 * done.change
        assert much.revenue < 0.1 * done.revenue


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "welfare"}, "objective = 'welfare'"),
        ({"form": "none"}, "form = 'none'"),
        ({"strictness": 0.0}, "strictness = 0"),
    ],
)
def test_bad_input_is_named(options, message):
    table, chance = random_table(0)
    with pytest.raises(ValueError, match=message):
        joint_program.repair(table, chance, **options)


def test_too_many_cells_are_refused():
    table, chance = random_table(0, n_cells=300)
    with pytest.raises(ValueError, match="90000 profiles of cells"):
        joint_program.repair(table, chance)
