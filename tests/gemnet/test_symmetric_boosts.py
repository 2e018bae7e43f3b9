"""Symmetric affine maximisers by shape against lists of allocations."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.gemnet import laws
from econlib.gemnet.symmetric import SymmetricBoosts, tune_symmetric

LAW = laws.market("u01").first


@pytest.mark.parametrize(
    ("n", "m", "unit"), [(2, 2, False), (3, 3, False), (3, 2, True)]
)
def test_payments_are_those_of_the_list(n, m, unit):
    rng = np.random.default_rng(0)
    some = tune_symmetric(LAW, n, m, unit_demand=unit, log2_n=6, evaluations=10)
    some = SymmetricBoosts(
        n, m, some.shapes, np.append(0, -2 * rng.random(len(some.shapes) - 1)), unit
    )
    v = rng.random((2000, n, m))
    assert some.payments(v) == pytest.approx(some.as_list().play(v).revenue, abs=1e-9)


def test_two_by_two_reaches_what_is_known():
    tuned = tune_symmetric(LAW, 2, 2, log2_n=13)
    assert tuned.shapes == ((0, 0), (1, 0), (1, 1), (2, 0))
    assert tuned.boosts[[1, 3, 2]] == pytest.approx(
        [-0.63530, -0.90928, -1.13910], abs=0.08
    )
    v = np.random.default_rng(1).random((100_000, 2, 2))
    paid = tuned.payments(v)
    assert paid.mean() == pytest.approx(0.874399, abs=4 * paid.std() / len(v) ** 0.5)


def test_selling_items_apart_is_one_of_them():
    boosts = np.array([0, -0.5, -1.0, -1.0])
    apart = SymmetricBoosts(2, 2, ((0, 0), (1, 0), (1, 1), (2, 0)), boosts)
    v = np.random.default_rng(2).random((100_000, 2, 2))
    assert apart.payments(v).mean() == pytest.approx(5 / 6, abs=0.006)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="log2_n = 3"):
        tune_symmetric(LAW, 2, 2, log2_n=3)
    with pytest.raises(ValueError, match="at most 50000 allocations"):
        tune_symmetric(LAW, 9, 9)
