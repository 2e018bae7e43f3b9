"""The search for a third item, and what is on record of it."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.data_markets.beliefs import beta_mixture
from econlib.data_markets.binary_menus import exact_revenue, uniform_stakes
from econlib.data_markets.conjecture import best_three_items, bracket
from econlib.data_markets.experiments import concentrated
from econlib.data_markets.search_record import LOWS, N_LAWS, family, kept, row

MIXTURE = beta_mixture((0.5, 0.5), ((8, 30), (60, 30)))


def test_bracket_is_ordered_and_its_menu_earns_what_it_says():
    found = bracket(MIXTURE, 0.75, cells=(32, 4), n_nodes=12, n_starts=1)
    assert found.one < found.two <= found.three <= found.bound
    again = exact_revenue(
        concentrated(found.slopes),
        found.prices,
        MIXTURE,
        uniform_stakes(0.75, 1.0, 200),
    )
    assert again == pytest.approx(found.three, abs=1e-6)
    assert found.room < 0.02


def test_a_third_item_adds_nothing_where_the_stake_is_nearly_known():
    three = best_three_items(MIXTURE, 0.99, n_nodes=6, n_starts=1)
    two = bracket(MIXTURE, 0.99, cells=(32, 1), n_nodes=6, n_starts=1).two
    assert three.revenue == pytest.approx(two, rel=1e-4)


def test_record_is_whole():
    record = kept()
    assert record["laws"] == N_LAWS and tuple(record["lows"]) == LOWS
    assert record["commit"] and record["machine"] and record["seconds"] > 0
    assert record["command"] == "python -m econlib.data_markets.search_record"
    members = record["members"]
    assert len(members) == N_LAWS * len(LOWS)
    for (w, p), at in zip(family(), range(0, len(members), len(LOWS)), strict=True):
        for low, member in zip(LOWS, members[at : at + len(LOWS)], strict=True):
            assert member["low"] == low
            assert member["weights"] == pytest.approx(w, rel=1e-5)
            assert np.array(member["parameters"]) == pytest.approx(
                np.array(p), rel=1e-5
            )
            assert 0 < member["one"] <= member["two"] <= member["three"]
            assert member["three"] <= member["bound"] < 1.1 * member["two"]


def test_the_cheapest_member_comes_out_again():
    members = kept()["members"]
    at = int(np.argmin([m["seconds"] for m in members]))
    w, p = family()[at // len(LOWS)]
    again = row(w, p, members[at]["low"])
    for name in ("one", "two", "three", "bound"):
        assert again[name] == pytest.approx(members[at][name], rel=1e-5)
