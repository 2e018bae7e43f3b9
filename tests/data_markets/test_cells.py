"""Mechanisms on cells: exact incentives, repairs, learners that reach the optimum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.data_markets.allocation_nets import Curves, SortedNets, StackedMLP, train
from econlib.data_markets.cells import (
    audit,
    cell_market,
    obedience_mix,
    payments,
    pool_repair,
    revenue,
    sort_layer,
    sort_repair,
    surplus,
    welfare,
)
from econlib.data_markets.competition import NOTIONS, SETTINGS, Setting, optimum
from econlib.training import generator

FRESH = [
    Setting(("uniform", "uniform2"), 0.6, 1.3),
    Setting(("exponential", "exponential"), 0.6, 1.3),
    SETTINGS["U-.75-2"],
]


def _best(settings_, notion):
    return np.array(
        [optimum(s.laws, s.alpha, s.theta, notion).revenue for s in settings_]
    )


def _random(market, seed):
    shape = (len(market.laws), 2, market.n_cells, market.n_cells)
    return torch.rand(shape, generator=generator(seed), dtype=torch.float64)


def test_means_and_edges_are_those_of_the_law():
    market = cell_market([Setting(("exponential", "uniform2"), 0.5, 1.0)], 8)
    assert market.edges[0, 1].tolist() == pytest.approx([k / 4 for k in range(8)])
    assert float(market.means[0, 0].mean()) == pytest.approx(1.0, abs=0.01)
    assert float(market.means[0, 1].mean()) == pytest.approx(1.0)


def test_payments_are_areas_by_hand():
    market = cell_market([Setting(("uniform", "uniform"), 0.5, 0.0)], 4)
    e = torch.tensor([0.0, 0.1, 0.1, 0.5], dtype=torch.float64).reshape(1, 1, 4, 1)
    paid = payments(e.expand(1, 2, 4, 1), market)
    assert paid[0, 0, :, 0].tolist() == pytest.approx([0, 0.025, 0.025, 0.325])


@given(st.integers(0, 10_000), st.sampled_from(NOTIONS))
@settings(max_examples=20, deadline=None)
def test_a_sorted_table_is_a_mechanism_and_earns_at_most_the_optimum(seed, notion):
    market = cell_market(FRESH, 12)
    x = sort_repair(_random(market, seed), market, notion)
    found = audit(x, market, notion, n_stakes=300, seed=seed)
    assert max(found.regret.max(), found.participation.max()) < 1e-9
    assert found.obedience.max() < 1e-12
    assert (revenue(x, market, notion).numpy() <= _best(FRESH, notion) + 1e-9).all()


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_pooling_keeps_the_rival_and_makes_a_mechanism(seed):
    market = cell_market(FRESH, 12)
    x = obedience_mix(_random(market, seed), market)
    pooled = pool_repair(x, market)
    assert pooled.mean((2, 3)) == pytest.approx(x.mean((2, 3)))
    found = audit(pooled, market, "bic", n_stakes=300, seed=seed)
    assert max(found.regret.max(), found.participation.max()) < 1e-9
    assert found.obedience.max() < 1e-9
    e = surplus(pooled, market).mean(-1)
    assert (torch.diff(e, dim=-1) >= -1e-12).all()


def test_the_audit_sees_what_is_wrong():
    market = cell_market(FRESH, 12)
    x = sort_layer(_random(market, 3)).flip(2)  # falls in the own cell
    assert audit(x, market, "bic").regret.min() > 1e-3
    low = torch.zeros_like(x)
    found = audit(low, market, "bic")
    assert found.obedience == pytest.approx([0.6, 0.6, 0.75])
    assert found.regret.min() > 0.1  # who is lied to ignores the signal


def test_sorting_orders_both_axes_and_keeps_totals():
    x = _random(cell_market(FRESH, 9), 1)
    y = sort_layer(x)
    assert (torch.diff(y, dim=2) >= 0).all()
    assert (torch.diff(y, dim=3) <= 0).all()
    assert y.sum((2, 3)) == pytest.approx(x.sum((2, 3)))


@pytest.mark.filterwarnings("ignore:the loss moved")
@pytest.mark.parametrize("notion", NOTIONS)
def test_curves_reach_the_optimum_everywhere(notion):
    every = list(SETTINGS.values()) + FRESH
    market = cell_market(every, 48)
    curves = Curves(market, notion, seed=1)
    train(curves, 700)
    with torch.no_grad():
        x = curves()
    ratio = revenue(x, market, notion).numpy() / _best(every, notion)
    assert ratio.max() <= 1 + 1e-9
    assert ratio.min() >= 0.985
    found = audit(x, market, notion, n_stakes=500)
    assert max(found.regret.max(), found.obedience.max()) < 1e-9


@pytest.mark.filterwarnings("ignore:the loss moved")
def test_sorted_networks_approach_it_and_their_sorting_is_part_of_them():
    market = cell_market(FRESH[2:], 16)
    nets = SortedNets(market, "expost", width=32, seed=0)
    train(nets, 300, lr=5e-3)
    fine = market.with_cells(64)
    with torch.no_grad():
        x, loose = nets(fine), nets(fine, ordered=False)
    best = _best(FRESH[2:], "expost")
    assert 0.97 * best < revenue(x, fine, "expost").numpy() <= best + 1e-9
    assert audit(x, fine, "expost", n_stakes=300).regret.max() < 1e-9
    assert loose.shape == x.shape


def test_welfare_of_full_information_is_the_mean_stake_less_the_harm():
    market = cell_market([Setting(("uniform", "uniform"), 0.5, 0.5)], 16)
    x = torch.ones(1, 2, 16, 16, dtype=torch.float64)
    assert float(welfare(x, market)[0]) == pytest.approx(0.5)


def test_stacked_networks_are_separate():
    nets = StackedMLP(3, 2, 1, 4, 2, generator(0))
    x = torch.rand(3, 5, 2, dtype=torch.float64)
    base = nets(x)
    with torch.no_grad():
        nets.weights[0][1] += 1.0
    moved = (nets(x) - base).abs().amax((1, 2))
    assert moved[1] > 0
    assert moved[[0, 2]].max() == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cell_market([], 8), "settings"),
        (lambda: cell_market(FRESH, 1), "n_cells = 1"),
        (
            lambda: cell_market([Setting(("uniform", "uniform"), 0.5, -1.0)], 8),
            "alpha = -1",
        ),
        (
            lambda: cell_market([Setting(("uniform", "uniform"), 1.5, 1.0)], 8),
            "theta = 1.5",
        ),
        (lambda: Curves(cell_market(FRESH, 8), "dsic"), "notion = 'dsic'"),
        (
            lambda: revenue(
                torch.zeros(3, 2, 8, 8, dtype=torch.float64),
                cell_market(FRESH, 8),
                "dsic",
            ),
            "notion = 'dsic'",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
