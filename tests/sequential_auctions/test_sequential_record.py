"""Records of long runs of the sequential auctions: schema, and their cheapest slice."""

import pytest

from econlib.sequential_auctions.record import (
    ABLATION,
    CELLS,
    LARGE,
    TOPICS,
    ablation_runs,
    load,
    paper_runs,
    recipe_runs,
    run,
)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_record_says_what_made_it(topic):
    kept = load(topic)
    assert kept["command"].endswith(f"record {topic}")
    assert kept["seconds"] > 0 and kept["commit"] and "cores" in kept["machine"]
    assert set(kept["versions"]) >= {"numpy", "numba", "torch"}
    for one in kept["runs"]:
        assert one["error"] > 0 and one["revenue"] > 0


def test_every_cell_is_there():
    cells = {one["cell"] for t in ("paper_fpi", "recipe") for one in load(t)["runs"]}
    assert cells >= set(CELLS)
    found = {(one["cell"], one["method"]) for one in load("policy_gradient")["runs"]}
    assert found == {(c, m) for c in (*CELLS, *LARGE) for m in ("ppo", "sac")}
    rows = [(one["cell"], one["seed"]) for one in load("ablation")["runs"]]
    assert len(rows) == len(set(rows))
    assert {row for row, _ in rows} == set(ABLATION)


def test_the_cheapest_slices_run_again():
    kept = run("paper_fpi", cells=("5x5-C",), n_iterations=1, n_envs=64)
    assert kept["runs"][0]["steps"] == [0, 650]
    assert next(recipe_runs(("10x10-C",), n_iterations=1))["visited"] > 100
    rows = list(ablation_runs((0,), ("tabular critic", "32 shared draws"), 3, 1))
    assert [one["cell"] for one in rows] == ["tabular critic", "32 shared draws"]
    assert next(paper_runs(("5x5-C",), n_iterations=1, n_envs=64))["cell"] == "5x5-C"


def test_an_unknown_topic_is_named():
    with pytest.raises(ValueError, match="topic = 'dp'"):
        load("dp")
