"""Table learners on trees: they reach the exact nudged row, from play alone."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.contracts.tree_runs import lay_out
from econlib.contracts.tree_tables import train_backward, train_tables
from econlib.contracts.trees import (
    Trees,
    by_steps_to_go,
    det_arrays,
    solve,
    tree_batch,
)

MARGINS = [0.0, 0.02]


def reached(found, runs, trees, mode="strict"):
    return getattr(found, mode)[:, -1] / solve(trees).vp[runs.instance, 0]


def test_layout_repeats_instances_for_trials_and_margins():
    trees = tree_batch(3, [0, 1])
    shape = by_steps_to_go([0.1, 0.2, 0.3], 3)
    runs = lay_out(trees, 2, [0.0, shape])
    assert len(runs) == 8
    assert (runs.trees.cost == trees.cost[runs.instance]).all()
    assert (runs.xi[:4] == 0).all() and (runs.xi[4:] == shape).all()
    first, second = (s.generate_state(1)[0] for s in runs.seeds(3)[:2])
    assert first != second
    assert runs.seeds(3)[4].generate_state(1)[0] == first


@pytest.mark.parametrize("learner", [train_tables, train_backward])
def test_depth_5_reaches_the_nudged_value(learner):
    trees = tree_batch(5, [0, 1, 2])
    runs = lay_out(trees, 2, MARGINS)
    found = learner(runs, 20_000) if learner is train_tables else learner(runs, 100)
    row = (solve(trees, 0.02).vp[:, 0] / solve(trees).vp[:, 0]).mean()
    nudged = runs.level == 1
    strict = reached(found, runs, trees)[nudged]
    assert strict.mean() == pytest.approx(row, abs=0.01)
    assert reached(found, runs, trees, "implemented").mean() > 0.99
    assert found.accuracy[:, -1].mean() > 0.95
    assert found.follow[nudged, -1].mean() > 0.98
    assert strict.mean() > reached(found, runs, trees)[~nudged].mean()


def test_backward_replay_reaches_the_row_at_depth_10():
    trees = tree_batch(10, [0, 1, 2])
    runs = lay_out(trees, 2, MARGINS)
    found = train_backward(runs, 100, eval_every=100)
    row = (solve(trees, 0.02).vp[:, 0] / solve(trees).vp[:, 0]).mean()
    nudged = runs.level == 1
    assert reached(found, runs, trees)[nudged].mean() == pytest.approx(row, abs=0.01)
    assert reached(found, runs, trees)[~nudged].mean() < 0.8
    assert reached(found, runs, trees, "implemented").mean() > 0.99
    wrong = found.act[nudged] != solve(trees).act[runs.instance[nudged]]
    gap = solve(trees).gap
    quarter = np.quantile(gap, 0.25)
    assert np.median(gap[runs.instance[nudged]][wrong]) < quarter


def test_without_outcome_noise_no_margin_is_needed():
    trees = tree_batch(10, [0, 1, 2])
    runs = lay_out(trees, 1, [0.0])
    found = train_backward(runs, 200, known_law=True, eval_every=200)
    assert reached(found, runs, trees).mean() > 0.97


def test_known_law_and_everything_seen_is_backward_induction():
    trees = tree_batch(3, [5])
    runs = lay_out(trees, 1, [0.03])
    found = train_backward(runs, 60, known_law=True, episodes=200)
    exact = solve(trees, 0.03)
    assert found.seen[0, -1] == 1.0
    assert found.qbar == pytest.approx(exact.qbar, abs=1e-12)
    assert found.q == pytest.approx(exact.q, abs=1e-12)


def test_leaving_out_later_payments_is_caught():
    """Without them effort that is paid for later looks like a loss."""
    cost, reward = det_arrays(3)
    trees = Trees(cost[None], reward[None])
    runs = lay_out(trees, 1, [0.0])
    exact = solve(trees).qbar[0, 0, 0]
    right = train_tables(runs, 30_000, lr=(0.3, 0.0005)).qbar[0, 0, 0]
    wrong = train_tables(runs, 30_000, lr=(0.3, 0.0005), myopic=True).qbar[0, 0, 0]
    assert exact > 1e-3
    assert right == pytest.approx(exact, abs=2e-4)
    assert wrong < -1e-3


def test_runs_do_not_depend_on_neighbours_and_repeat():
    trees = tree_batch(4, [0, 1])
    both = train_tables(lay_out(trees, 2, [0.01]), 300, seed=4)
    again = train_tables(lay_out(trees, 2, [0.01]), 300, seed=4, eval_every=70)
    alone = train_tables(lay_out(trees.take([0]), 2, [0.01]), 300, seed=4)
    other = train_tables(lay_out(trees, 2, [0.01]), 300, seed=5)
    assert (both.q == again.q).all() and (both.q[:2] == alone.q).all()
    assert (both.q != other.q).any()
    assert both.steps.tolist() == [0, 300]
    assert again.steps.tolist() == [0, 70, 140, 210, 280, 300]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: train_tables(r, 0), "iterations = 0"),
        (lambda r: train_tables(r, 10, batch=0), "batch = 0"),
        (lambda r: train_tables(r, 10**9), "8000000000 samples.*memory"),
        (lambda r: train_tables(r, 10, lr=(0.0, 0.1)), "lr"),
        (lambda r: train_tables(r, 10, tolerance=-1.0), "tolerance = -1"),
        (lambda r: train_backward(r, 10, episodes=0), "episodes = 0"),
        (lambda r: lay_out(r.trees, 0, [0.0]), "n_trials = 0"),
        (lambda r: lay_out(r.trees, 1, [-0.1]), "margins"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(lay_out(tree_batch(2, [0]), 1, [0.0]))
