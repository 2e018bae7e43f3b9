"""Recorded runs on trees: their schema, their truths, and the cheapest slice again."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.contracts.record_trees import PARTS, load, run
from econlib.contracts.tree_modes import flip, implemented
from econlib.contracts.trees import solve, tree_batch

KEYS = {
    "part",
    "depth",
    "iterations",
    "interactions",
    "batch",
    "target_every",
    "tolerance",
    "hidden",
    "lr",
    "instances",
    "n_trials",
    "margins",
    "steps",
    "exact",
    "exact_nudged",
    "exact_agent",
    "runs",
    "cpu_seconds",
    "machine",
    "python",
    "versions",
    "commit",
    "command",
}


@pytest.mark.parametrize("part", list(PARTS))
def test_a_recorded_run_holds_what_it_says(part):
    kept, setting = load(part), PARTS[part]
    assert set(kept) == KEYS
    assert (kept["depth"], kept["iterations"]) == (10, 20_000)
    assert kept["hidden"] == setting["hidden"]
    assert kept["command"].endswith(f"record_trees {part}")
    trees = tree_batch(10, setting["instances"])
    exact = solve(trees)
    assert kept["exact"] == pytest.approx(exact.vp[:, 0], abs=1e-6)
    for row, xi in zip(kept["exact_nudged"], setting["margins"], strict=True):
        assert row == pytest.approx(solve(trees, xi).vp[:, 0], abs=1e-6)
    n_runs = len(setting["instances"]) * setting["n_trials"] * len(setting["margins"])
    assert len(kept["runs"]) == n_runs
    for one in kept["runs"]:
        assert len(one["strict"]) == len(kept["steps"]) == 41
        assert one["accuracy"][-1] == pytest.approx(
            1 - len(one["mistaken"]) / 1023, abs=1e-4
        )
        i = one["instance"]
        order = np.array([one["mistaken"]])
        wrong = flip(exact.act[[i]], order, len(one["mistaken"]))
        value = implemented(trees.take([i]), wrong).principal[0]
        assert one["implemented"][-1] == pytest.approx(value, rel=1e-4)
        assert min(one["agent"]) >= 0


@pytest.mark.parametrize("part", list(PARTS))
def test_a_short_run_has_the_schema_and_repeats(part):
    first, again = (run(part, 6, 3, 3) for _ in range(2))
    assert set(first) == KEYS
    assert first["runs"] == again["runs"]
    assert first["steps"] == [0, 3, 6]


def test_an_unknown_part_is_refused():
    for call in (run, load):
        with pytest.raises(ValueError, match="part = 'deep'"):
            call("deep")
