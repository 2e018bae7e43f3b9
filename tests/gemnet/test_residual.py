"""The leader's table and the exact reply: certificates, geometry, training."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from econlib import programs
from econlib.gemnet import (
    affine,
    ascent,
    certificates,
    kernels,
    laws,
    lottery_reply,
    reach,
    record_tables,
    residual,
    rounding,
    sampling,
)

UNIFORM = affine.AffineMaximiser.symmetric(-0.63530, -0.90928, -1.13910)


@pytest.fixture(scope="module")
def table():
    market = laws.market("u01")
    return residual.start_table(market, UNIFORM, residual.boost_knots(UNIFORM))


def random_table(rng, name="u01", n=5, unit_demand=False):
    """Any table is feasible, the more so a bad one."""
    market = laws.market(name, unit_demand=unit_demand)
    knots = np.sort(np.append(rng.random(n - 2), [0.0, 1.0]))
    single = rng.uniform(0.1, 1.0, (n, n, 2))
    both = single.sum(axis=2) * rng.uniform(0.6, 1.1, (n, n))
    prices = np.concatenate([single, both[..., None]], axis=2)
    return residual.LeaderTable(market, UNIFORM, knots, prices)


def test_an_affine_maximiser_is_its_own_table_and_a_possible_reply():
    market = laws.market("u01")
    knots = residual.boost_knots(UNIFORM)
    grid = np.stack(np.meshgrid(knots, knots, indexing="ij"), axis=-1)
    exact = residual.LeaderTable(market, UNIFORM, knots, UNIFORM.prices(0, grid))
    v = np.random.default_rng(0).random((2000, 2))
    assert exact.leader(v) == pytest.approx(UNIFORM.prices(0, v), abs=1e-12)
    law = market.second
    room = reach.blank(len(knots))
    steps = residual.SEARCH
    for s, t in v[:200]:
        reach.demand(knots, exact.prices, s, t, room)
        wish = UNIFORM.prices(1, np.array([s, t]))
        mended = kernels.repair(room, *wish)
        # the affine maximiser never sells twice: its prices need no repair
        assert mended[:2] == pytest.approx(wish[:2], abs=1e-6)
        alone = kernels.revenue(law.breaks, law.coefficients, *wish)
        starts = np.array([wish])
        _, found = kernels.reply(
            room, law.breaks, law.coefficients, starts, steps, True
        )
        assert found >= alone - 1e-7


def test_reply_to_the_affine_maximiser_earns_what_is_known(table):
    assert affine.affine_revenue(table.market, UNIFORM) == pytest.approx(
        0.874399, abs=2e-6
    )
    # and the reply, tabulated, with the best reply to it
    assert 0.8752 < table.revenue(48, 192) < 0.8763


@pytest.mark.parametrize("name", laws.LAWS)
@pytest.mark.parametrize("unit_demand", [False, True])
def test_random_tables_never_sell_twice_exactly(name, unit_demand):
    rng = np.random.default_rng(3)
    for _ in range(4):
        some = random_table(rng, name, unit_demand=unit_demand)
        v = some.market.first.ppf(rng.random((6, 2)))
        v[0] = some.market.first.top
        found = certificates.certify(some, v)
        assert found.n_violations == 0
        finite = found.margins[np.isfinite(found.margins)]
        assert (finite > 0.9e-9).all()


def test_certificate_has_teeth(table):
    rng = np.random.default_rng(4)
    v = rng.random((40, 2))
    prices = table.follower(v)
    assert certificates.certify(table, v, prices).n_violations == 0
    lowered = certificates.certify(table, v, prices - 1 / 500)
    assert lowered.n_violations >= 10
    # bounds are tight: somewhere the margin is the strictness itself
    margins = certificates.certify(table, v, prices).margins
    assert margins.min() == pytest.approx(kernels.MARGIN, rel=0.05)


def test_played_profiles_agree_with_the_certificate(table):
    rng = np.random.default_rng(5)
    v1, v2 = rng.random((300, 2)), rng.random((300, 40, 2))
    _, clash = table.play(v1, v2)
    assert not clash.any()
    broken = replace(table, prices=table.prices - 0.05)
    lead = broken.leader(v2.reshape(-1, 2))  # a leader with other prices than agreed
    follow = table.follower(v1)
    gains = v1[:, None] - lead.reshape(300, 40, 3)[..., :2]
    other = v2 - follow[:, None, :2]
    assert ((gains > 0) & (other > 0)).any()


def test_menus_are_functions_of_the_other_alone(table):
    v = np.random.default_rng(6).random((20, 2))
    assert np.array_equal(table.follower(v), table.follower(v[::-1])[::-1])
    one = table.follower(v[:1])
    assert np.array_equal(one, table.follower(np.vstack([v[:1], v]))[:1])


def test_no_misreport_gains(table):
    rng = np.random.default_rng(7)
    v1, v2 = rng.random((30, 2)), rng.random((30, 2))
    follow = table.follower(v1)

    def gain(v, menu, report):
        gains = np.array([0.0, *(np.array([*report, report.sum()]) - menu)])
        k = gains.argmax()
        return ([0.0, v[0], v[1], v.sum()][k]) - ([0.0, *menu][k])

    for mine, menu in zip(v2, follow, strict=True):
        truth = gain(mine, menu, mine)
        lies = [gain(mine, menu, r) for r in rng.random((50, 2))]
        assert truth >= max(lies) - 1e-12


def test_refining_does_not_change_the_function(table):
    finer = residual.refine(table)
    v = np.random.default_rng(8).random((500, 2))
    assert finer.leader(v) == pytest.approx(table.leader(v), abs=1e-12)
    assert len(finer.knots) == 2 * len(table.knots) - 1
    more = residual.refine(table, np.array([0.324, 0.43]))
    assert more.leader(v) == pytest.approx(table.leader(v), abs=0.05)
    at = np.array([[0.324, 0.43], [0.0, 1.0]])
    assert more.leader(at) == pytest.approx(table.leader(at), abs=1e-12)


def test_slope_of_the_reply_is_that_of_differences(table):
    """Where the repaired revenue has a slope, it is the envelope's."""
    rng = np.random.default_rng(9)
    # without the ties of a table in which both bidders' prices are tight
    moved = table.prices + 0.01 * rng.standard_normal(table.prices.shape)
    table = replace(table, prices=moved)
    law, h, smooth = table.market.second, 1e-7, 0
    for point in rng.random((60, 2)):
        warm = table.follower(point[None])
        _, slope = kernels.gradient(
            table.knots,
            table.prices,
            law.breaks,
            law.coefficients,
            point[None],
            np.ones(1),
            warm,
            residual.SEARCH,
            True,
        )

        def mended(prices, wish, point=point):
            room = reach.blank(len(table.knots))
            reach.demand(table.knots, prices, *point, room)
            return kernels.repair(room, *wish)

        # wish for less where a price sits on its bound, so that it follows the bound
        wish = warm[0].copy()
        for q in range(3):
            lower = warm[0].copy()
            lower[q] -= 1e-4
            if abs(mended(table.prices, lower)[q] - warm[0, q]) < 1e-8:
                wish[q] -= 1e-4
        for _ in range(3):
            way = rng.standard_normal(table.prices.shape)
            ends = [
                kernels.revenue(
                    law.breaks, law.coefficients, *mended(table.prices + z * way, wish)
                )
                for z in (-h, 0.0, h)
            ]
            left, right = np.diff(ends) / h
            if abs(left) < 1e-4 or abs(left - right) > 1e-2 * abs(left):
                continue  # flat, or a corner, where several triangles tie
            smooth += 1
            assert (slope * way).sum() == pytest.approx(left, rel=0.02)
    assert smooth >= 10


def test_training_raises_the_revenue(table):
    done = ascent.train(table, steps=60, rates=(1e-3, 1e-4), n=12, n_leader=32)
    assert len(done.curve) == 60
    assert done.table.revenue(48, 192) > table.revenue(48, 192)
    v = np.random.default_rng(10).random((10, 2))
    assert certificates.certify(done.table, v).n_violations == 0
    # items are exchangeable, and stay so
    a, b = done.table.prices[..., 0], done.table.prices[..., 1]
    assert a == pytest.approx(b.T, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: replace(t, knots=np.array([0.0, 0.5])), "from 0 to 1"),
        (lambda t: replace(t, prices=t.prices * np.nan), "finite"),
        (lambda t: t.follower(np.array([[0.2, 1.2]])), r"support, \[0, 1\]"),
        (lambda t: t.leader(np.array([[-0.2, 0.2]])), "support"),
        (lambda t: ascent.train(t, steps=0), "steps = 0"),
        (
            lambda t: certificates.certify(t, np.zeros((2, 2)), np.ones((1, 3))),
            "prices: shape",
        ),
    ],
)
def test_bad_input_is_named(table, call, message):
    with pytest.raises(ValueError, match=message):
        call(table)


def exact_suprema(table, own, b):
    """Suprema of alpha and gamma for item 1 in rational arithmetic."""
    own = [Fraction(float(z)) for z in own]
    b = Fraction(float(b))
    most = [None, None]
    for taken, polygon in certificates._regions(table, own, True):
        if taken != 1:
            continue
        parts = [certificates._half(polygon, lambda p: b - p[1])]
        parts.append(certificates._half(polygon, lambda p: p[1] - b))
        for x, y in [p for part in parts for p in part]:
            for k, z in enumerate((x - max(y - b, 0), x + min(y, b))):
                most[k] = z if most[k] is None else max(most[k], z)
    return most


def test_suprema_are_above_the_exact_ones_within_the_bound():
    """The forward error bound, on tables with ties at corners and steep prices."""
    rng = np.random.default_rng(11)
    seen = 0
    for case in range(6):
        some = random_table(rng, n=6)
        assert rounding.rounding_bound(some).holds
        loss = rounding.rounding_bound(some).margin_needed
        room = reach.blank(len(some.knots))
        points = rng.random((8, 2))
        corner = some.prices[rng.integers(0, 6, 8), rng.integers(0, 6, 8), :2]
        for s, t in np.concatenate([points, np.minimum(corner, 1.0)]):
            reach.demand(some.knots, some.prices, s, t, room)
            _, _, edges, _, _, peaks, at, first, listed, _, _ = room
            b = float(rng.random())
            exact = exact_suprema(some, (s, t), b)
            for f, z in zip((reach.alpha, reach.gamma), exact, strict=True):
                found, _ = f(peaks, at, first, listed, edges, 0, b)
                if z is None:
                    continue
                seen += 1
                assert found >= float(z) - loss
                # half-planes are moved by 1e-11 over the slope, which is not small
                assert found <= float(z) + 1e-7, case
    assert seen > 40


def test_rounding_bound_fails_where_prices_are_too_steep():
    """Knots a millionth apart: the argument must not claim what it cannot."""
    rng = np.random.default_rng(12)
    some = random_table(rng)
    knots = np.array([0.0, 0.3, 0.3 + 1e-6, 0.7, 1.0])
    assert rounding.rounding_bound(some).holds
    assert not rounding.rounding_bound(replace(some, knots=knots)).holds


def test_samples_agree_with_quadrature(table):
    found = sampling.sample_revenue(table, UNIFORM, 4000, 4, seed=1)
    truth = table.revenue(48, 192)
    assert found.revenue == pytest.approx(truth, abs=4 * found.error)
    assert found.controlled == pytest.approx(truth, abs=4 * found.gain_error)
    assert found.gain_error < found.error / 3
    assert found.n_clashes == 0


def test_knots_go_where_the_slope_is(table):
    more = ascent.knots_by_error(table, 3, batches=2, n=12)
    assert len(more) == 3
    middles = (table.knots[1:] + table.knots[:-1]) / 2
    assert np.isin(more, middles).all()
    with pytest.raises(ValueError, match="count = 0"):
        ascent.knots_by_error(table, 0)


def test_stages_grow_the_table(table):
    stages = (
        ascent.Stage(11, 4, (1e-3, 1e-4), 8, 16),
        ascent.Stage(0, 3, (1e-3, 1e-4), 8, 16),
        ascent.Stage(2, 3, (1e-3, 1e-4), 8, 16),
    )
    done, start = ascent.train_in_stages(table.market, UNIFORM, stages)
    assert [len(t.table.knots) for t in done] == [11, 21, 23]
    assert [len(t.curve) for t in done] == [4, 3, 3]
    assert len(start.knots) == 11


@pytest.fixture(scope="module")
def recorded():
    return record_tables.recorded_table("u01")


def test_record_is_within_the_proved_bounds(recorded):
    """No strategy-proof mechanism earns more than 0.886357."""
    kept = record_tables.load("u01")
    bound = 18588262788621 / 20971520000000
    revenue = recorded.revenue(48, 192)
    assert 0.8768 < revenue < bound
    assert 0.8768 < kept["revenue"] < bound
    sample = kept["sample"]
    assert sample["controlled"] + 4 * sample["gain_error"] < bound
    assert sample["n_clashes"] == kept["n_violations"] == 0
    assert revenue == pytest.approx(kept["revenue"], abs=1e-4)
    assert rounding.rounding_bound(recorded).holds


def test_record_has_the_shape_of_the_optimum(recorded):
    """Where the rival is weak it is the one-bidder optimum, and so on."""
    weak = np.array([[0.0, 0.0], [0.3, 0.1], [0.2, 0.3]])
    single, pair = 2 / 3, (4 - np.sqrt(2)) / 3
    for menu in recorded.leader(weak):
        assert menu == pytest.approx([single, single, pair], abs=0.02)
    strong = recorded.leader(np.array([[1.0, 1.0]]))[0]
    assert strong[0] > 1
    assert strong[2] > 1.9  # excluded
    # an item that the rival does not want is cheaper than where she is weak
    b = recorded.leader(np.array([[0.45, 0.1], [1.0, 0.1]]))[:, 1]
    assert b[1] < b[0] - 0.05
    # single items of the affine maximiser are cheaper there, and its bundle dearer
    theirs = recorded.affine.prices(0, weak)
    assert (theirs[:, :2] < single).all()
    assert (theirs[:, 2] > pair).all()


def test_record_is_made_by_its_command():
    """The same code at a small plan, key for key."""
    stage = ascent.Stage(6, 3, (1e-3, 1e-4), 6, 12)
    plan = record_tables.Plan((stage,), 1000, 2, 2, 2, 16)
    made = record_tables.run("u01", plan)
    assert made.keys() == record_tables.load("u01").keys()
    assert made["n_violations"] == 0
    with pytest.raises(ValueError, match="market = 'u02'"):
        record_tables.run("u02")


def test_lotteries_gain_nothing_on_uniform_values_alone():
    one = random_table(np.random.default_rng(13))
    found = lottery_reply.lottery_reply(one, np.zeros(2), 8)
    assert found.lotteries == pytest.approx(found.deterministic, abs=1e-6)
    with pytest.raises(ValueError, match="n = 1"):
        lottery_reply.lottery_reply(one, np.zeros(2), 1)


def test_lottery_program_is_that_of_all_incentive_rows():
    """Rows that are added as they are violated give what all of them give."""
    some = random_table(np.random.default_rng(14), "irregular")
    rng, law = np.random.default_rng(15), some.market.second
    cuts = np.linspace(0, 1, 6)
    x, f = (cuts[1:] + cuts[:-1]) / 2, np.diff(law.cdf(cuts))
    v = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    f = np.outer(f, f).ravel()
    pairs = np.argwhere(~np.eye(25, dtype=bool))
    seen = 0
    for own in rng.random((6, 2)):
        found = lottery_reply.lottery_reply(some, own, 5)
        taken = residual.choose(own[None], some.leader(v), False).may_take
        cost = np.concatenate([-f, (f[:, None] * v).ravel()])
        upper = np.concatenate([np.full(25, np.inf), 1.0 - taken.ravel()])
        whole = programs.solve(
            cost, lottery_reply._truth(v, pairs), 0.0, upper=upper, maximise=True
        )
        assert found.lotteries == pytest.approx(whole.objective, abs=1e-8)
        assert found.lotteries >= found.deterministic - 1e-9
        seen += int(taken.any())
    assert seen > 0
