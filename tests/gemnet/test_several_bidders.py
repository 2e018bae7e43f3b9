"""Several bidders, two items: affine menus, the exact reply, its certificate."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from econlib.gemnet import kernels, laws, residual
from econlib.gemnet.affine import AffineMaximiser
from econlib.gemnet.boosts import Boosts
from econlib.gemnet.several import ReplyMechanism, tune_several
from econlib.gemnet.several_certificate import clash_margins

UNIFORM = laws.market("u01").first
TWO = np.array([-0.63530, -0.90928, -1.13910])


def some(n, seed=0, law=UNIFORM):
    """Boosts that treat nobody alike."""
    rng = np.random.default_rng(seed)
    split = rng.uniform(-1.3, -1.15, (n, n))
    one, both = rng.uniform(-0.7, -0.3, n), rng.uniform(-1.0, -0.6, n)
    return ReplyMechanism(law, Boosts(one, both, (split + split.T) / 2))


def best_allocation(boosts, v, without=None):
    """Welfare and allocation by listing all of them."""
    n = boosts.n_bidders
    best = (0.0, (-1, -1))
    for first, second in product([q for q in range(-1, n) if q != without], repeat=2):
        w = sum(v[who, j] for j, who in enumerate((first, second)) if who >= 0)
        if first >= 0 and second >= 0:
            pair = (
                boosts.both[first] if first == second else boosts.split[first, second]
            )
            w += pair
        elif max(first, second) >= 0:
            w += boosts.one[max(first, second)]
        best = max(best, (w, (first, second)))
    return best


@pytest.mark.parametrize("n", [2, 3, 4])
def test_menus_are_those_of_the_affine_maximiser(n):
    boosts = some(n).boosts
    rng = np.random.default_rng(1)
    for v in rng.random((150, n, 2)):
        welfare, winners = best_allocation(boosts, v)
        for i in range(n):
            menu = boosts.prices(i, np.delete(v, i, axis=0)[None])[0]
            gains = np.array([0.0, *(v[i] - menu[:2]), v[i].sum() - menu[2]])
            took = (winners[0] == i) + 2 * (winners[1] == i)
            assert gains.argmax() == took
            # by definition she pays what the others lose
            alone = best_allocation(boosts, v, without=i)[0]
            mine = sum(v[i, j] for j in (0, 1) if winners[j] == i)
            paid = alone - (welfare - mine)
            assert np.append(0.0, menu)[took] == pytest.approx(paid, abs=1e-12)


def test_with_two_bidders_it_is_the_follower_of_an_affine_leader():
    market = laws.market("u01")
    mechanism = ReplyMechanism(UNIFORM, Boosts.alike(2, TWO))
    affine = AffineMaximiser.symmetric(*TWO)
    knots = residual.boost_knots(affine)
    grid = np.stack(np.meshgrid(knots, knots, indexing="ij"), axis=-1)
    table = residual.LeaderTable(market, affine, knots, affine.prices(0, grid))
    v = residual._midpoints(UNIFORM, 30)
    args = (UNIFORM.breaks, UNIFORM.coefficients)
    one = [kernels.revenue(*args, *p) for p in table.follower(v)]
    two = [kernels.revenue(*args, *p) for p in mechanism.reply(v[:, None])]
    assert two == pytest.approx(one, abs=1e-9)  # the strictness of prices
    rest = mechanism.parts(13)[2]
    assert rest == pytest.approx(0.874399 / 2, abs=1e-5)
    assert np.mean(two) + rest == pytest.approx(0.87518, abs=1e-5)


def test_boosts_of_myersons_auctions_sell_items_apart():
    mechanism = ReplyMechanism(UNIFORM, Boosts.alike(3, np.array([-0.5, -1.0, -1.0])))
    mine, own, rest = mechanism.parts(13)
    assert own + rest == pytest.approx(1.0625, abs=1e-4)
    assert mine > own + 0.002


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("name", ["u01", "beta12", "irregular"])
def test_no_item_is_sold_twice_in_exact_arithmetic(n, name):
    law = laws.market(name).first
    rng = np.random.default_rng(2)
    mechanism = some(n, seed=n, law=law)
    v = law.ppf(rng.random((25, n - 1, 2)))
    v[0], v[1] = 0.0, law.top
    v[2] = v[2, :1]  # all others alike: ties between them
    v[3, :, 1] = v[3, :, 0]
    v[4, :, 0] = -mechanism.boosts.one[0]
    margins = clash_margins(mechanism, v)
    assert (margins > 0.9 * kernels.MARGIN).all()


def test_the_certificate_has_teeth_and_bounds_are_tight():
    mechanism = ReplyMechanism(
        UNIFORM, Boosts.alike(3, np.array([-0.62, -0.96, -1.13]))
    )
    v = np.random.default_rng(3).random((60, 2, 2))
    prices = mechanism.reply(v)
    assert clash_margins(mechanism, v, prices).min() == pytest.approx(1e-9, rel=0.05)
    assert (clash_margins(mechanism, v, prices - 1 / 500) <= 0).sum() >= 20


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_reply_never_earns_less_and_never_clashes(n):
    rng = np.random.default_rng(4)
    mechanism = some(n, seed=7)
    v, own = rng.random((400, n - 1, 2)), rng.random((400, 50, 2))
    gains = mechanism.gains(v)
    assert (gains >= -1e-8).all()
    paid, before, clash = mechanism.play(v, own)
    assert not clash.any()
    assert (paid - before).mean() == pytest.approx(gains.mean(), abs=0.01)


def test_the_count_of_conflicts_has_teeth(monkeypatch):
    rng = np.random.default_rng(4)
    mechanism = some(3)
    v, own = rng.random((200, 2, 2)), rng.random((200, 50, 2))
    prices = mechanism.reply(v) - 0.05
    monkeypatch.setattr(ReplyMechanism, "reply", lambda self, v: prices)
    assert mechanism.play(v, own)[2].any()


def test_boosts_that_split_more_gladly_cost_revenue_but_not_the_certificate():
    """Bidder 1 is then indifferent on a line between items that others then hold."""
    mechanism = ReplyMechanism(UNIFORM, Boosts.alike(3, np.array([-0.5, -0.9, -0.7])))
    v = np.random.default_rng(6).random((20, 2, 2))
    assert (clash_margins(mechanism, v) > 0).all()
    mine, own, _ = mechanism.parts(8)
    assert mine < own


def test_menus_are_functions_of_the_others_alone_and_truth_is_best():
    rng = np.random.default_rng(5)
    mechanism = some(3)
    v = rng.random((40, 2, 2))
    assert np.array_equal(mechanism.reply(v)[::-1], mechanism.reply(v[::-1]))
    menu = mechanism.reply(v)
    mine, lies = rng.random((40, 1, 2)), rng.random((40, 200, 2))

    def best(u):
        gains = np.stack(
            [
                0 * u[..., 0],
                u[..., 0] - menu[:, None, 0],
                u[..., 1] - menu[:, None, 1],
                u.sum(-1) - menu[:, None, 2],
            ],
            axis=-1,
        )
        return gains.argmax(axis=-1)

    worth = np.stack([0 * mine[..., 0], mine[..., 0], mine[..., 1], mine.sum(-1)], -1)
    paid = np.concatenate([np.zeros((40, 1)), menu], axis=1)
    gains = worth - paid[:, None]
    truth = np.take_along_axis(gains[:, 0], best(mine), axis=1)
    assert (np.take_along_axis(gains[:, 0], best(lies), axis=1) <= truth + 1e-12).all()


def test_tuning_raises_the_revenue_on_other_points():
    first = ReplyMechanism(UNIFORM, Boosts.alike(3, np.array([-0.6, -0.9, -1.1])))
    tuned = tune_several(UNIFORM, 3, log2_n=7, evaluations=60)
    assert tuned.revenue(11, seed=9) > first.revenue(11, seed=9)
    assert tuned.revenue(11, seed=9) > 1.0625
    apart = tune_several(UNIFORM, 2, reply=False, apart=True, log2_n=7, evaluations=30)
    assert len(set(apart.boosts.one.tolist())) == 2


def test_revenue_by_points_is_that_of_played_profiles():
    mechanism = some(3, seed=11)
    points = stats.qmc.Sobol(6, rng=3).random_base2(12).reshape(-1, 3, 2)
    paid, affine, _ = mechanism.play(points[:, 1:], points[:, :1])
    mine, own, rest = mechanism.parts(10)
    assert paid.mean() == pytest.approx(mine + rest, abs=8e-3)
    assert affine.mean() == pytest.approx(own + rest, abs=8e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.reply(np.full((1, 2, 2), 1.1)), "from 0 to 1"),
        (lambda m: m.reply(np.zeros((1, 3, 2))), "3 others: expected"),
        (lambda m: m.parts(3), "log2_n = 3"),
        (lambda m: Boosts.alike(1, TWO), "n = 1"),
        (lambda m: Boosts(TWO[:1], TWO[:1], np.ones((1, 1))), "boosts: shapes"),
        (lambda m: Boosts(TWO, TWO, np.arange(9.0).reshape(3, 3)), "symmetric"),
        (lambda m: Boosts(TWO * np.nan, TWO, np.ones((3, 3))), "finite"),
        (lambda m: tune_several(UNIFORM, 3, evaluations=1), "evaluations = 1"),
        (lambda m: clash_margins(m, np.zeros((2, 2, 2)), np.ones((1, 3))), "shape"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(ReplyMechanism(UNIFORM, Boosts.alike(3, TWO)))
