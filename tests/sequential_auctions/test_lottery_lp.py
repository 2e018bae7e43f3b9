"""Lotteries: known values, deterministic menus, bounds, errors."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from econlib.programs import solve
from econlib.sequential_auctions.lottery_lp import (
    best_lotteries,
    best_menu_on_grid,
    box_types,
    cell_bound,
)
from econlib.sequential_auctions.two_items import area_dp
from econlib.sequential_auctions.unlike_items import unlike_items_dp

HOLDS = np.array([[0, 0], [1, 0], [0, 1], [1, 1.0]])


@pytest.mark.parametrize(
    ("to_come", "n_cells", "value"),
    [
        (1, 8, 0.59765625),
        (1, 12, 0.58217593),
        (2, 8, 0.85906289),
        (2, 12, 0.84723098),
        (5, 8, 1.24458544),
        (5, 12, 1.23477981),
    ],
)
def test_lotteries_do_not_help_two_like_items(to_come, n_cells, value):
    after = area_dp(5).values[to_come - 1][[2, 1, 1, 0]]
    types, weights = box_types((1, 1), n_cells)
    found = best_lotteries(types @ HOLDS.T, weights, after)
    assert found.value == pytest.approx(value, abs=2e-6)
    assert found.bound == pytest.approx(found.value, abs=1e-9)
    menu, _ = best_menu_on_grid(types @ HOLDS.T, weights, after, by_size=True)
    assert menu == pytest.approx(found.value, abs=1e-9)


def test_few_rows_are_as_good_as_all():
    rng = np.random.default_rng(0)
    values = np.c_[np.zeros(5), rng.random((5, 3))]
    weights, after = rng.dirichlet(np.ones(5)), rng.random(4)
    found = best_lotteries(values, weights, after)
    cost = np.concatenate([(weights[:, None] * (values + after)).ravel(), -weights])
    rows, low, high = [], [], []
    for i in range(5):
        row = np.zeros(25)
        row[4 * i : 4 * i + 4] = 1
        rows.append(row), low.append(1.0), high.append(1.0)
        for j in range(5):
            if i != j:
                row = np.zeros(25)
                row[4 * j : 4 * j + 4] = values[i] - values[j]
                row[20 + j], row[20 + i] = 1, -1
                rows.append(row), low.append(-np.inf), high.append(0.0)
    whole = solve(
        cost,
        sp.csr_matrix(np.array(rows)),
        np.array(low),
        np.array(high),
        maximise=True,
    )
    assert found.value == pytest.approx(whole.objective, abs=1e-9)


@pytest.mark.parametrize("tops", [(1, 1), (0.5, 1.0)])
def test_the_cell_bound_is_above_every_menu_and_falls(tops):
    dp = unlike_items_dp(3, tops)
    for t in (1, 2, 3):
        after = dp.values[t - 1][::-1]
        bounds = [cell_bound(tops, k, after).value for k in (3, 6)]
        assert bounds[0] >= bounds[1] - 1e-9 >= dp.values[t, 3] - 1e-6


def test_one_item_is_myersons():
    for cells in (10, 40):
        bound = cell_bound((1.0,), cells, np.array([0.25, 0.0]))
        assert 0.390625 <= bound.value <= 0.390625 + 0.4 / cells


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: box_types((1, 1), 1), "n_cells = 1: expected 2 or more"),
        (lambda: box_types((1, 1), 40), "at most 1000 in all"),
        (
            lambda: best_lotteries(np.ones((2, 2)), np.ones(2) / 2, np.zeros(2)),
            "first option worth 1.0",
        ),
    ],
)
def test_bad_programs(call, message):
    with pytest.raises(ValueError, match=message):
        call()
