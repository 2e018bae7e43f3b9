"""Recorded runs of the Coin Game: schema, truths, and the cheapest slice again."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.contracts.coin_game import CoinRules
from econlib.contracts.coin_solution import solve_coin
from econlib.contracts.record_coin import PARTS, load, run

KEYS = {
    "part",
    "size",
    "horizon",
    "steps",
    "seeds",
    "nudges",
    "at",
    "exact_welfare",
    "exact_share",
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
    size, horizon, steps, seeds, nudges = PARTS[part]
    assert set(kept) == KEYS
    assert (kept["size"], kept["horizon"], kept["steps"]) == (size, horizon, steps)
    assert (tuple(kept["seeds"]), tuple(kept["nudges"])) == (seeds, nudges)
    assert kept["command"] == f"python -m econlib.contracts.record_coin {part}"
    assert [r["seed"] for r in kept["runs"]] == list(seeds)
    for one in kept["runs"]:
        points = {len(v) for v in one["training"].values()}
        assert points == {len(kept["at"])}
        assert max(one["training"]["welfare"]) <= kept["exact_welfare"] + 0.04
        assert max(one["training"]["spe"] + one["training"]["ic"]) <= 1 + 1e-6
        for x in nudges:
            got = one[f"nudge {x:g}"]
            assert 0 <= min(got["follow"]) and max(got["follow"]) <= 1
            split = got["split"]
            total = sum(split[k] for k in ("exact", "advice", "values", "nudge"))
            assert total == pytest.approx(split["total"], abs=3e-5)


def test_the_small_recorded_truth_is_the_exact_one():
    kept, found = load("deep3"), solve_coin(CoinRules())
    assert kept["exact_welfare"] == pytest.approx(found.followed.welfare, abs=1e-5)
    assert kept["exact_share"] == pytest.approx(found.followed.share, abs=1e-5)


def test_a_short_run_has_the_schema_and_repeats():
    first, again = (run("deep3", 8, (0,), 2) for _ in "12")
    assert set(first) == KEYS
    assert np.all(np.array(first["at"]) == [4, 8])
    assert first["runs"] == again["runs"]


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="part = 'deep7'"):
        run("deep7")
    with pytest.raises(ValueError, match="part = 'deep7'"):
        load("deep7")
