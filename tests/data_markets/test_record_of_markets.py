"""Recorded markets: their schema, what cannot be, and the cheapest slice made again."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.data_markets.competition import SETTINGS, optimum
from econlib.data_markets.record import PARTS, load, run

KEYS = {
    "part",
    "settings",
    "steps",
    "cells",
    "test_cells",
    "width",
    "runs",
    "seconds",
    "machine",
    "python",
    "versions",
    "commit",
    "command",
}


@pytest.mark.parametrize("part", list(PARTS))
def test_a_recorded_run_holds_what_it_says(part):
    kept = load(part)
    steps, cells, fine, seeds = PARTS[part]
    assert set(kept) == KEYS
    assert (kept["steps"], kept["cells"], kept["test_cells"]) == (steps, cells, fine)
    assert {run["seed"] for run in kept["runs"]} == set(seeds)
    assert kept["command"] == f"python -m econlib.data_markets.record {part}"


@pytest.mark.parametrize("part", [p for p in PARTS if p != "beliefs"])
def test_no_honest_revenue_is_above_the_optimum(part):
    kept = load(part)
    notion = part.split("_")[1]
    best = np.array(
        [optimum(s.laws, s.alpha, s.theta, notion).revenue for s in SETTINGS.values()]
    )
    assert kept["settings"] == list(SETTINGS)
    for one in kept["runs"]:
        if part.startswith("sorted"):
            assert (np.array(one["revenue"]) <= best + 1e-6).all()
            assert max(one["regret"] + one["obedience"]) < 1e-9
        else:
            assert (np.array(one["sorted_revenue"]) <= best + 1e-6).all()
            assert min(one["mean_regret"]) >= 0


@pytest.mark.parametrize("part", list(PARTS))
def test_a_short_run_has_the_schema_and_repeats(part):
    one = ("U-.50-0.5",)
    first, again = (run(part, 2, (3,), one) for _ in range(2))
    assert set(first) == KEYS
    assert first["runs"] == again["runs"]
    assert first["runs"][0]["seed"] == 3
    assert (first["runs"][0].keys()) == load(part)["runs"][0].keys()


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="part = 'dqn'"):
        run("dqn")
    with pytest.raises(ValueError, match="part = 'dqn'"):
        load("dqn")
