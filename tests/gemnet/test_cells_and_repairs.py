"""Menus on cells: demand sets, the certificate, and repairs of prices."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.gemnet.affine import AffineMaximiser
from econlib.gemnet.boxes import Boxes, check_size
from econlib.gemnet.cells import CellMenus, CellReport, build, certify
from econlib.gemnet.repair import (
    prune,
    refine,
    refined,
    repair_milp,
    repair_raise,
)

SETS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=float)
AFFINE = AffineMaximiser.symmetric(-0.63530, -0.90928, -1.13910)


def affine_menus(i, x):
    """The affine maximiser's, the second bidder's a little dearer."""
    p = AFFINE.prices(i, x) * (1.0, 1.02)[i]
    p = np.concatenate([np.zeros((len(p), 1)), p], axis=1)
    return np.broadcast_to(SETS, (len(p), 4, 2)).copy(), p


def random_menus(seed, n, m, k, lotteries):
    """Any functions of the others, different ones for each bidder."""
    rng = np.random.default_rng(seed)
    turn = [rng.standard_normal(((n - 1) * m, k * (m + 1))) for _ in range(n)]

    def menus(i, x):
        z = np.cos(3 * x @ turn[i] + np.arange(k * (m + 1)) + i)
        a = (1 + z[:, : k * m].reshape(-1, k, m)) / 2
        a = a if lotteries else np.round(a)
        p = a.sum(axis=2) * (0.5 + 0.3 * z[:, k * m :])
        zeros = np.zeros((len(x), 1))
        return np.concatenate(
            [zeros[:, None] * np.zeros(m), a], axis=1
        ), np.concatenate([zeros, p], axis=1)

    return menus


def uneven(seed, m, n_cuts, top=1.0):
    rng = np.random.default_rng(seed)
    boxes = Boxes.whole(top, m)
    for _ in range(n_cuts):
        boxes = boxes.bisect(rng.integers(len(boxes), size=1))
    return boxes


def one_item(*rows):
    """Two bidders, one item, values cut at one half: prices in the other's halves."""
    boxes = Boxes.grid(np.array([0.0, 0.5, 1.0]), 1)
    bundles = np.broadcast_to(np.array([[0.0], [1.0]]), (2, 2, 1)).copy()
    prices = tuple(np.stack([np.zeros(2), np.array(r)], axis=1) for r in rows)
    return CellMenus((boxes, boxes), (bundles, bundles), prices)


def test_boxes_hold_what_they_locate():
    rng = np.random.default_rng(0)
    for boxes in (
        Boxes.grid(np.array([0, 0.1, 0.5, 0.6, 2.0]), 3),
        uneven(1, 3, 40, 2.0),
    ):
        assert (2 * boxes.halves).prod(axis=1).sum() == pytest.approx(8)
        v = 2 * rng.random((3000, 3))
        at = boxes.locate(v)
        assert ((boxes.low[at] <= v) & (v <= boxes.high[at])).all()
        assert (boxes.locate(boxes.centres) == np.arange(len(boxes))).all()
    assert boxes.locate(np.full((1, 3), 2.0)).shape == (1,)  # the top is inside


@pytest.mark.parametrize("lotteries", [False, True])
@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 1), (3, 2)])
def test_demand_sets_hold_every_choice_of_every_bidder(n, m, lotteries):
    """Different menus and numbers of boxes for each: mixed indices would show."""
    menus = build(
        random_menus(1, n, m, 3, lotteries), [uneven(i, m, 3 + i) for i in range(n)]
    )
    v = np.random.default_rng(2).random((4000, n, m))
    got, _ = menus.play(v)
    at = tuple(b.locate(v[:, i]) for i, b in enumerate(menus.boxes))
    total = 0.0
    for i in range(n):
        for exact in (False, True):
            most = menus.taken(i, exact=exact)
            assert most.shape == (*map(len, menus.boxes), m)
            assert (got[:, i] <= most[at] + 1e-12).all()
        total = total + most
    # the certificate is the largest total, and profiles come close to it
    bad = np.argwhere((total > 1 + 1e-9).any(axis=-1))
    report = CellReport(total[..., 0].size, bad)
    assert len(bad) <= certify(menus).n_violations
    twice = (got.sum(axis=1) > 1 + 1e-9).any(axis=1)
    flagged = np.zeros(total.shape[:-1], dtype=bool)
    flagged[tuple(report.tuples.T)] = True
    assert flagged[at][twice].all()


def test_programs_only_take_lotteries_out_that_no_value_chooses():
    menus = build(random_menus(3, 2, 2, 6, True), [uneven(1, 2, 12)] * 2)
    wide, sharp = menus.demand(0), menus.demand(0, exact=True)
    assert not (sharp & ~wide).any()
    assert sharp.sum() < wide.sum()
    rng = np.random.default_rng(4)
    a, p, own = menus.bundles[0], menus.prices[0], menus.boxes[0]
    seen = np.zeros_like(sharp)
    for c in range(len(own)):
        v = rng.uniform(own.low[c], own.high[c], (4000, 2))
        u = np.einsum("vm,okm->ovk", v, a) - p[:, None]
        best = u.argmax(axis=2)
        for o in range(len(p)):
            seen[o, c, np.unique(best[o])] = True
    assert not (seen & ~sharp).any()
    # what a dense sample never chose is a sliver
    assert (sharp & ~seen).sum() <= 0.03 * sharp.sum()


def test_sets_of_zeros_and_ones_are_exact_without_programs():
    menus = build(random_menus(5, 2, 2, 3, False), [uneven(1, 2, 12)] * 2)
    own, a, p = menus.boxes[0], menus.bundles[0], menus.prices[0]
    found = menus.demand(0)
    for o, c, k in np.argwhere(found):
        corner = np.where(a[o, k] > 0, own.high[c], own.low[c])
        u = a[o] @ corner - p[o]
        assert u[k] >= u.max() - 1e-9


def test_no_margin_misses_a_profile_that_sells_twice():
    menus = one_item([0.8, 0.8], [0.8, 0.8])
    assert certify(menus, margin=0.0).n_violations == 0
    v = np.full((1, 2, 1), 0.9)
    assert menus.revenue(np.repeat(v, 2, axis=0))[2] == 1.0
    assert certify(menus).tuples.tolist() == [[1, 1]]


def test_boxes_are_closed_and_ties_count():
    # both indifferent at one half, in the lower boxes: one point of the square
    assert certify(one_item([0.5, 2.0], [0.5, 2.0])).tuples.tolist() == [[0, 0]]
    assert certify(one_item([0.5 + 1e-9, 2.0], [0.5, 2.0])).n_violations == 0
    # a price equal to the largest value is no way out, one above it is
    assert certify(one_item([1.0, 1.0], [0.0, 0.0])).n_violations == 2
    assert certify(one_item([1.0, 1.0 + 1e-9], [2.0, 0.0])).n_violations == 1
    assert certify(one_item([1 + 1e-9, 1 + 1e-9], [0.0, 0.0])).n_violations == 0


def test_a_menu_read_at_the_wrong_bidders_boxes_is_seen():
    good = build(affine_menus, [uneven(1, 2, 20)] * 2)
    good = repair_raise(good).menus
    assert certify(good).n_violations == 0
    mixed = good.with_prices(0, good.prices[0][::-1])
    assert certify(mixed).n_violations > 0


@pytest.mark.parametrize("lotteries", [False, True])
@pytest.mark.parametrize(("n", "m", "cuts"), [(2, 2, 9), (2, 3, 7), (3, 2, 4)])
def test_random_menus_can_always_be_repaired(n, m, cuts, lotteries):
    v = np.random.default_rng(6).random((20000, n, m))
    for seed in range(3):
        boxes = [uneven(seed + i, m, cuts + i) for i in range(n)]
        menus = build(random_menus(seed, n, m, 3, lotteries), boxes)
        assert certify(menus).n_violations > 0
        for found in (repair_raise(menus), repair_milp(menus)):
            assert certify(found.menus).n_violations == 0
            assert found.menus.revenue(v)[2] == 0.0
            for i in range(n):
                rise = found.menus.prices[i] - menus.prices[i]
                assert rise.min() >= 0
            assert np.array_equal(found.menus.prices[-1], menus.prices[-1])


def test_any_order_of_bidders_repairs():
    menus = build(random_menus(9, 3, 1, 2, False), [uneven(i, 1, 5) for i in range(3)])
    for order in ((0, 1, 2), (1, 2, 0)):
        found = repair_raise(menus, order=order).menus
        assert certify(found).n_violations == 0
        kept = order[0]
        assert np.array_equal(found.prices[kept], menus.prices[kept])


def test_compatible_menus_are_left_alone():
    edges = np.linspace(0, 1, 7)
    boxes = Boxes.grid(edges, 2)

    def second_prices(i, x):
        # above the upper edge of the other's box, and above Myerson's reserve
        above = np.maximum(np.ceil(x * 6 - 1e-9) / 6, 0.5) + 1e-4 * (i + 1)
        p = np.concatenate([0 * x[:, :1], above, above.sum(1, keepdims=True)], axis=1)
        return np.broadcast_to(SETS, (len(x), 4, 2)).copy(), p

    menus = build(second_prices, [boxes, boxes])
    assert certify(menus).n_violations == 0
    for found in (
        repair_raise(menus),
        repair_milp(menus),
        repair_milp(menus, skip=False),
    ):
        for i in range(2):
            same = np.isfinite(found.menus.prices[i])
            change = found.menus.prices[i] - menus.prices[i]
            assert np.abs(change[same]).max() <= 1e-9
        assert found.largest <= 1e-9


def test_one_bidder_needs_no_repair():
    def rochet(i, x):
        return SETS[None], np.array([[0.0, 2 / 3, 2 / 3, 0.862]])

    menus = build(rochet, [Boxes.grid(np.linspace(0, 1, 4), 2)])
    assert certify(menus).n_violations == 0
    assert repair_raise(menus).largest == 0.0
    v = np.random.default_rng(0).random((200_000, 1, 2))
    assert menus.revenue(v)[0] == pytest.approx(0.5492, abs=0.004)


def test_skipping_saves_binaries_and_changes_no_price():
    boxes = Boxes.grid(np.linspace(0, 1, 6), 2)
    menus = build(affine_menus, [boxes, boxes])
    full, short = (repair_milp(menus, skip=s) for s in (False, True))
    live = np.isfinite(short.menus.prices[0])
    change = (short.menus.prices[0] - full.menus.prices[0])[live]
    assert np.abs(change).max() < 2e-4  # the gap at which searches stop
    assert 5 * short.n_binaries <= full.n_binaries
    assert short.n_prices < full.n_prices
    for found in (full, short):
        assert certify(found.menus).n_violations == 0


def test_repairs_agree_and_cost_little_on_finer_grids():
    v = np.random.default_rng(7).random((100_000, 2, 2))
    revenue = {}
    for n in (4, 8, 16):
        boxes = Boxes.grid(np.linspace(0, 1, n + 1), 2)
        found = repair_raise(build(affine_menus, [boxes, boxes]))
        assert certify(found.menus).n_violations == 0
        revenue[n] = found.menus.revenue(v)[0]
    assert revenue[4] < revenue[8] < revenue[16] < 0.886357
    assert revenue[16] > 0.839  # above selling the bundle

    boxes = Boxes.grid(np.linspace(0, 1, 5), 2)
    menus = build(affine_menus, [boxes, boxes])
    most = repair_milp(menus, objective="revenue", values=v[:5000])
    assert certify(most.menus).n_violations == 0


def test_bisecting_violations_equals_a_finer_grid_with_fewer_boxes():
    v = np.random.default_rng(8).random((50_000, 2, 2))
    coarse, fine = (Boxes.grid(np.linspace(0, 1, k + 1), 2) for k in (4, 16))
    menus = refined(affine_menus, coarse, 2, finest=1 / 16)
    whole = build(affine_menus, [fine, fine])
    assert max(map(len, menus.boxes)) < 0.75 * len(fine)
    one, two = (repair_raise(z).menus for z in (menus, whole))
    assert certify(one).n_violations == 0
    assert one.revenue(v)[0] == pytest.approx(two.revenue(v)[0], abs=2e-3)
    capped = refined(affine_menus, coarse, 2, finest=1 / 16, max_boxes=40)
    assert [*map(len, capped.boxes)] == [40, 40]
    # where nothing can be sold twice, nothing is cut
    alone = refined(lambda i, x: affine_menus(0, x + 9), coarse, 2, finest=1 / 16)
    assert [*map(len, alone.boxes)] == [16, 16]
    with pytest.raises(ValueError, match="finest = 0"):
        refine(affine_menus, menus, finest=0.0, max_boxes=70)


def test_boxes_of_three_bidders_are_bisected_too():
    menus = random_menus(21, 3, 1, 2, False)
    found = refined(menus, Boxes.whole(1.0, 1), 3, finest=1 / 8, max_boxes=12)
    assert max(map(len, found.boxes)) > 1
    assert certify(repair_raise(found).menus).n_violations == 0


def test_pruned_menus_choose_alike():
    menus = build(random_menus(11, 2, 2, 5, False), [uneven(2, 2, 12)] * 2)
    fewer, left = prune(menus)
    v = np.random.default_rng(12).random((20_000, 2, 2))
    for one, two in zip(menus.play(v), fewer.play(v), strict=True):
        assert np.array_equal(one, two)
    assert (left < [p[..., 1:].size for p in menus.prices]).all()


def test_no_misreport_gains():
    menus = build(random_menus(13, 3, 2, 4, True), [uneven(i, 2, 8) for i in range(3)])
    menus = repair_raise(menus).menus
    rng = np.random.default_rng(14)
    v = rng.random((200, 3, 2))

    def utility(reports, i):
        got, paid = menus.play(reports)
        return (got[:, i] * v[:, i]).sum(axis=1) - paid[:, i]

    for i in range(3):
        truth = utility(v, i)
        for _ in range(50):
            lie = v.copy()
            lie[:, i] = rng.random((200, 2))
            assert (utility(lie, i) <= truth + 1e-12).all()
        assert (truth >= 0).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: check_size([10_000, 10_000]), "10000 x 10000 = 100,000,000"),
        (lambda m: Boxes.grid(np.linspace(0, 1, 129), 2, 2), "Lower the cells"),
        (lambda m: Boxes.grid(np.array([0.1, 1.0]), 2), "increasing from 0"),
        (lambda m: Boxes.whole(0.0, 2), "top = 0"),
        (lambda m: m.play(np.full((1, 2, 1), 1.2)), "from 0 to"),
        (lambda m: m.play(np.zeros((1, 3, 1))), "3 bidders, expected 2"),
        (lambda m: m.with_prices(0, np.ones((2, 2))), "not free nothing"),
        (lambda m: m.with_prices(0, np.zeros((3, 2))), "boxes of the others"),
        (lambda m: repair_milp(m, eta=1e-8), "eta = 1e-08"),
        (lambda m: repair_milp(m, objective="best"), "'change' or 'revenue'"),
        (lambda m: repair_raise(m, eta=0.0), "eta = 0"),
        (lambda m: repair_raise(m, order=(0, 0)), r"order = \(0, 0\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(one_item([0.5, 1.0], [0.5, 1.0]))
