"""Recorded runs: their schema, their truths, and the cheapest slice made again."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.social_design.harvest import HarvestLite
from econlib.social_design.record import PARTS, SEVEN, load, run

KEYS = {
    "part",
    "updates",
    "seeds",
    "rates",
    "exact_mean",
    "exact_least",
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
    updates, seeds = PARTS[part]
    assert set(kept) == KEYS
    assert (kept["updates"], tuple(kept["seeds"])) == (updates, seeds)
    assert kept["command"] == f"python -m econlib.social_design.record {part}"
    rates = np.array(SEVEN)
    assert np.abs(np.array(kept["rates"]) - rates).max() < 1e-9
    exact = HarvestLite().solve(rates).values[:, 8]
    assert kept["exact_mean"] == pytest.approx(exact.mean(axis=1), abs=1e-5)
    best = HarvestLite().solve(rates[:1], select="planner").values[0, 8].mean()
    for one in kept["runs"]:
        assert len(one["mean"]) == len(one["least"]) == len(rates)
        assert max(one["mean"]) <= best
        assert min(one["exploitability"]) >= 0


@pytest.mark.parametrize("part", list(PARTS))
def test_a_short_run_has_the_schema_and_repeats(part):
    first, again = (run(part, 3, (0,)) for _ in range(2))
    assert set(first) == KEYS
    assert first["runs"] == again["runs"]
    assert first["updates"] == 3


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="part = 'dqn'"):
        run("dqn")
    with pytest.raises(ValueError, match="part = 'dqn'"):
        load("dqn")
