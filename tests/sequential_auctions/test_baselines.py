"""Baselines: closed forms, simulation, known numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from econlib.sequential_auctions.baselines import (
    bundle_law,
    grand_bundle,
    item_law,
    item_wise,
    stateful_item_prices,
)
from econlib.sequential_auctions.posted_prices import posted_prices, uniform
from econlib.sequential_auctions.settings import SETTINGS, Setting
from econlib.sequential_auctions.simulator import item_prices, simulate
from econlib.sequential_auctions.unit_demand import unit_demand_dp


@pytest.mark.parametrize("n", [1, 5, 20])
def test_items_by_themselves_have_a_closed_form(n):
    v = 0.0
    for _ in range(n):
        v = ((1 + v) / 2) ** 2
    assert item_wise(Setting("A", 7), n).values[0].sum() == pytest.approx(7 * v)
    assert item_wise(Setting("B", 7), n).values[0].sum() == pytest.approx(4 * v)
    assert grand_bundle(Setting("E", 9), n).values[0] == pytest.approx(3 * v)


@pytest.mark.parametrize("name", SETTINGS)
def test_laws_of_one_item_and_of_all(name):
    setting = Setting(name, 4)
    v = setting.values(20_000, np.random.default_rng(2))
    for law, drawn in (
        (item_law(setting, 1), v[:, 2]),
        (bundle_law(setting), v[:, 15]),
    ):
        assert stats.kstest(drawn, law.cdf).pvalue > 1e-4


def test_the_sum_of_uniforms_is_irwin_halls():
    law = bundle_law(Setting("A", 5))
    x = np.linspace(0, 5, 41)
    assert np.abs(law.cdf(x) - stats.irwinhall(5).cdf(x)).max() < 1e-6


def test_single_items_with_complements():
    found = item_wise(Setting("F", 1), 20).values[:, 0]
    truth = {1: 0.78125, 2: 1.15051, 5: 1.65181, 10: 1.97538, 20: 2.23910}
    for n, value in truth.items():
        assert found[20 - n] == pytest.approx(value, abs=2e-5)
    wrong = item_wise(Setting("F", 1, spread=(0, 1)), 1).values[0, 0]
    assert 1.312 <= wrong <= 1.317


def test_bundles_known_from_elsewhere():
    for name, n, m, value in (
        ("A", 5, 5, 2.577),
        ("A", 10, 10, 5.573),
        ("B", 5, 5, 1.559),
        ("B", 10, 10, 3.112),
        ("D", 5, 5, 2.072),
        ("D", 10, 10, 2.638),
        ("F", 10, 10, 19.635),
    ):
        found = grand_bundle(Setting(name, m), n).values[0]
        assert found == pytest.approx(value, abs=2e-3)


def test_another_law_of_items():
    law = stats.beta(2, 3)
    for name, share in (("A", 1.0), ("B", 0.5)):
        setting = Setting(name, 2, law=law)
        truth = share * posted_prices([law] * 3).values[0]
        assert item_wise(setting, 3).values[0, 0] == pytest.approx(truth, abs=1e-5)
    drawn = Setting("B", 2, law=law).values(20_000, np.random.default_rng(0))[:, 3]
    law_of_both = bundle_law(Setting("B", 2, law=law))
    assert stats.kstest(drawn, law_of_both.cdf).pvalue > 1e-4


def test_stateful_prices_of_unit_demand_have_a_closed_form():
    found = stateful_item_prices(Setting("C", 5), 3, n_samples=60_000)
    assert np.abs(found.values - unit_demand_dp(3, 5).values).max() < 0.01


@pytest.mark.parametrize("name", ["A", "E"])
def test_stateful_prices_earn_what_they_promise_and_more_than_stateless(name):
    setting, n = Setting(name, 4), 4
    found = stateful_item_prices(setting, n)
    prices = np.repeat(found.prices[:0:-1, :, None], 4, axis=2)
    rng = np.random.default_rng(1)
    played = simulate(setting, item_prices(setting, prices), 60_000, rng)
    assert abs(played.revenue - found.values[n, 4]) < 5 * played.error + 0.005
    plain = item_prices(setting, item_wise(setting, n).prices[:, None])
    less = simulate(setting, plain, 60_000, rng)
    assert played.revenue > less.revenue - 3 * less.error


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: item_law(Setting("A", 3), 3), "j = 3: expected an integer, 0 to 2"),
        (lambda: item_wise(Setting("A", 3), 0), "n_buyers = 0"),
        (lambda: grand_bundle(Setting("A", 3), 201), "n_buyers = 201"),
        (
            lambda: stateful_item_prices(Setting("A", 3), 2, n_samples=5),
            "n_samples = 5",
        ),
        (lambda: stateful_item_prices(Setting("A", 3), 2, n_prices=1), "n_prices = 1"),
        (lambda: stateful_item_prices(Setting("B", 3), 2), "items differ"),
        (lambda: item_wise(Setting("A", 3, law=uniform(1, 0)), 1), "expected 0 <= low"),
    ],
)
def test_bad_arguments_of_baselines(call, message):
    with pytest.raises(ValueError, match=message):
        call()
