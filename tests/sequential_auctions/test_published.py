"""Published values and the yardsticks beside them."""

import pytest

from econlib.sequential_auctions.published import BEST, PRINTED
from econlib.sequential_auctions.record import CELLS
from econlib.sequential_auctions.unit_demand import unit_demand_dp


def test_every_cell_has_a_yardstick_near_what_is_printed():
    assert list(PRINTED) == list(BEST) == list(CELLS)
    for cell, best in BEST.items():
        assert best == pytest.approx(PRINTED[cell], rel=0.015)


def test_unit_demand_is_the_closed_recursion():
    for n, cell in ((5, "5x5-C"), (10, "10x10-C")):
        exact = unit_demand_dp(n, n).values[n, n]
        assert BEST[cell] == pytest.approx(exact, abs=1e-4)
