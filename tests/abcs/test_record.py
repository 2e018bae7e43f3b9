"""Recorded runs hold what they say, and their cheapest slice comes out again."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from econlib.abcs.config import OFFICIAL
from econlib.abcs.learners import solve
from econlib.abcs.record import SETTINGS, load, run


@pytest.mark.parametrize("name", SETTINGS)
def test_recorded_runs_are_whole(name):
    kept, setting = load(name), SETTINGS[name]
    assert kept["config"] == asdict(OFFICIAL)
    assert kept["budget"] == setting.budget
    assert kept["machine"] and kept["commit"] and kept["versions"]["numba"]
    assert kept["command"] == f"python -m econlib.abcs.record {name}"
    found = {(r["method"], r["seed"]) for r in kept["runs"]}
    assert found == {(m, s) for m in setting.methods for s in kept["seeds"]}
    finals = set()
    for row in kept["runs"]:
        nodes = np.array(row["nodes"])
        assert (np.diff(nodes) > 0).all()
        assert setting.budget <= nodes[-1] <= 1.3 * setting.budget
        assert all(len(v) == len(nodes) for v in row["scores"].values())
        assert row["seconds"] > 0
        finals.add((row["method"], *[v[-1] for v in row["scores"].values()]))
    assert len(finals) == len(kept["runs"])


def test_the_cheapest_slice_comes_out_again():
    kept = next(
        r
        for r in load("kuhn_poker")["runs"]
        if r["method"] == "max_cfr" and r["seed"] == 1
    )
    setting = SETTINGS["kuhn_poker"]
    trace = solve(setting.make(), "max_cfr", setting.budget, 1)
    assert trace.nodes.tolist() == kept["nodes"]
    assert trace.scores["exploitability"] == pytest.approx(
        np.array(kept["scores"]["exploitability"]), rel=1e-4
    )


def test_runs_at_another_budget_and_unknown_settings():
    small = run("weighted_rps", seeds=(5,), budget=300)
    assert [r["method"] for r in small["runs"]] == list(
        SETTINGS["weighted_rps"].methods
    )
    with pytest.raises(ValueError, match="name = 'chess'"):
        run("chess")
    with pytest.raises(ValueError, match="name = 'chess'"):
        load("chess")
