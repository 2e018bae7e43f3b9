"""Who chooses what, as polygons: against shapely, random types, and by symmetry."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.market_makers.closed_forms import uniform_menu, uniform_profit
from econlib.market_makers.model import Menu, choose, profit
from econlib.market_makers.polygons import (
    clip,
    menu_regions,
    profit_exact,
    stacked_profit_uniform,
)
from econlib.valuations import make

UNIFORM = make("uniform", 2)
SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def _random_menu(seed: int, n: int = 7) -> Menu:
    rng = np.random.default_rng(seed)
    a = rng.uniform(-1, 1, (n, 2))
    return Menu(a, a @ np.full(2, 0.5) + rng.uniform(-0.1, 0.3, n))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_regions_are_those_of_shapely(seed):
    menu = _random_menu(seed)
    regions = menu_regions(menu, UNIFORM, 0.5, 0.3)
    full = menu.with_no_trade()
    for k in range(len(full)):
        region = shapely.box(0, 0, 1, 1)
        for j in range(len(full)):
            normal = full.allocations[k] - full.allocations[j]
            offset = full.payments[k] - full.payments[j]
            if np.abs(normal).max() > 0:
                length = np.hypot(*normal)
                foot, along = normal * offset / length**2, normal[::-1] * [1, -1]
                far = 10 / length
                half = shapely.Polygon(
                    [
                        foot + far * along,
                        foot - far * along,
                        foot - far * along + far * normal,
                        foot + far * along + far * normal,
                    ]
                )
                region = region.intersection(half)
        assert regions.probabilities[k] == pytest.approx(region.area, abs=1e-9)
        if region.area > 1e-6:
            centre = region.centroid
            assert regions.means[k] == pytest.approx([centre.x, centre.y], abs=1e-6)


@pytest.mark.parametrize(
    "law",
    [
        UNIFORM,
        make("beta", 2),
        make("gaussian_copula", 2, correlation=0.7),
        make("linear_correlation", 2, weight=0.4),
        make("small_box", 2, base=(0.4, 0.3), size=(0.2, 0.5)),
    ],
    ids=lambda law: law.name,
)
def test_profit_agrees_with_random_types(law):
    menu, c, lam = _random_menu(3), np.array([0.4, 0.6]), 0.3
    types = law.sample(400_000, None, torch.float64).numpy()
    earned = profit(menu, types, c, lam)
    error = earned.std() / np.sqrt(len(types))
    assert profit_exact(menu, law, c, lam) == pytest.approx(
        earned.mean(), abs=5 * error
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_regions_cover_the_support_once(seed):
    law = make("linear_correlation", 2, weight=0.5)
    regions = menu_regions(_random_menu(seed), law, 0.5, 0.2)
    assert regions.probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    mean = regions.probabilities @ regions.means
    assert mean == pytest.approx([0.5, 0.5], abs=1e-12)


def test_of_equal_entries_one_region_is_empty():
    menu = uniform_menu(0.5, 0.0)
    twice = Menu(np.repeat(menu.allocations, 2, axis=0), np.repeat(menu.payments, 2))
    once = menu_regions(menu, UNIFORM, 0.5, 0.0)
    both = menu_regions(twice, UNIFORM, 0.5, 0.0)
    assert both.profit == pytest.approx(once.profit, abs=1e-14)
    assert both.probabilities[1::2] == pytest.approx(once.probabilities[1:], abs=1e-14)
    assert both.probabilities[2::2].max() == 0


def test_stacked_menus_earn_what_each_earns():
    menus = [_random_menu(k) for k in range(5)]
    c = np.random.default_rng(0).uniform(0, 1, (5, 2))
    lam = np.linspace(0, 0.8, 5)
    stacked = stacked_profit_uniform(
        np.array([m.allocations for m in menus]),
        np.array([m.payments for m in menus]),
        c,
        lam,
    )
    single = [
        profit_exact(m, UNIFORM, b, float(w))
        for m, b, w in zip(menus, c, lam, strict=True)
    ]
    assert stacked.tolist() == pytest.approx(single, abs=1e-14)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.01, 5.0), shift=st.floats(-1, 1), lam=st.floats(0, 0.9))
def test_profit_scales_with_the_box(scale, shift, lam):
    # values, belief and payments in other units, and counted from another zero
    law = make("small_box", 2, base=(shift, shift), size=scale)
    c, menu = np.array([0.3, 0.6]), uniform_menu((0.3, 0.6), lam)
    moved = menu.payments * scale + menu.allocations.sum(axis=1) * shift
    earned = profit_exact(Menu(menu.allocations, moved), law, shift + scale * c, lam)
    assert earned == pytest.approx(scale * uniform_profit(c, lam), rel=1e-9)


def test_maps_of_the_two_goods_differ_off_the_diagonal():
    # the map of good 1 varies along x1: guards against swapped axes
    menu = uniform_menu((0.2, 0.5), 0.0)
    axis = (np.arange(40) + 0.5) / 40
    types = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    bought = menu.with_no_trade().allocations[choose(menu, types)].reshape(40, 40, 2)
    assert (np.diff(bought[:, :, 0], axis=0) >= 0).all()
    assert (np.diff(bought[:, :, 1], axis=1) >= 0).all()
    assert not np.array_equal(bought[:, :, 0], bought[:, :, 1].T)


def test_clipping_by_hand():
    cut = clip(SQUARE[None], np.array([[1.0, 1.0]]), np.array([1.0]))[0]
    kept = shapely.Polygon(cut)
    assert kept.area == pytest.approx(0.5)
    assert kept.contains(shapely.Point(0.9, 0.9))
    nothing = clip(SQUARE[None], np.array([[1.0, 0.0]]), np.array([2.0]))[0]
    assert np.ptp(nothing, axis=0).max() == 0 or len(nothing) == 0


def test_three_goods_are_refused():
    menu = Menu(np.ones((1, 3)), np.ones(1))
    with pytest.raises(ValueError, match="expected two goods"):
        menu_regions(menu, make("uniform", 3), 0.5, 0.0)


@pytest.mark.parametrize(
    ("law", "error"),
    [
        (UNIFORM, 1e-12),
        (make("beta", 2), 1e-8),
        # Gauss points miss what is near the copula's corners and edges
        (make("gaussian_copula", 2, correlation=0.4), 2e-4),
    ],
    ids=["uniform", "beta", "copula"],
)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), lam=st.floats(0, 0.9))
def test_relabelling_or_reflecting_goods_changes_nothing(law, error, seed, lam):
    menu, c = _random_menu(seed), np.array([0.3, 0.8])
    earned = profit_exact(menu, law, c, lam)
    swapped = Menu(menu.allocations[:, ::-1].copy(), menu.payments)
    again = profit_exact(swapped, law, c[::-1].copy(), lam)
    assert again == pytest.approx(earned, abs=error)
    # x -> 1 - x: whoever bought sells, and what a unit costs is counted from 1
    turned = Menu(-menu.allocations, menu.payments - menu.allocations.sum(axis=1))
    again = profit_exact(turned, law, 1 - c, lam)
    assert again == pytest.approx(earned, abs=error)


def test_profit_of_one_good_alone_by_hand():
    # half of the types buy at 1/2; under λ = 1/2 the belief rises to 3/4·1/2 + c/2
    menu = Menu(np.array([[1.0, 0.0]]), np.array([0.5]))
    regions = menu_regions(menu, UNIFORM, (0.2, 0.9), 0.5)
    assert regions.probabilities.tolist() == pytest.approx([0.5, 0.5])
    assert regions.means[1].tolist() == pytest.approx([0.75, 0.5])
    assert regions.profit == pytest.approx(0.5 * (0.5 - 0.375 - 0.1))


@pytest.mark.parametrize("c", [float("nan"), (0.5, float("inf")), (0.1, 0.2, 0.3)])
def test_beliefs_that_do_not_fit_are_refused(c):
    with pytest.raises(ValueError, match=r"c = .*: expected"):
        profit_exact(uniform_menu(0.5, 0.0), UNIFORM, c, 0.0)


@pytest.mark.parametrize("lam", [1.0, -0.1, float("nan")])
def test_weights_out_of_range_are_refused(lam):
    with pytest.raises(ValueError, match=r"expected a number in \[0, 1\)"):
        profit_exact(uniform_menu(0.5, 0.0), UNIFORM, 0.5, lam)
