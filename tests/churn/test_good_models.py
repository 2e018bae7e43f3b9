"""Exact sets of good models: known values, and classes against each other."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from econlib.churn.cells import (
    additive,
    cells,
    compas_binary,
    compas_cells,
    compas_wide,
    credit_cells,
)
from econlib.churn.linear import linear_labelings
from econlib.churn.linear_cells import LinearCells
from econlib.churn.lookup import LookupTables
from econlib.churn.plane import affine_labelings, cover_count, example_points
from econlib.churn.rashomon import good_models, slack_of
from econlib.churn.small_trees import free_trees, good_trees, sparse_trees
from econlib.churn.tables import encode, load


def numbers(stats) -> tuple:
    return (
        stats.size,
        stats.ambiguity,
        stats.discrepancy,
        stats.baseline_churn,
        stats.multiplicity,
        stats.widest,
    )


ONE = np.array([2]), np.array([1])  # one cell of two rows, one positive

PLANE = {
    (24, 6): [
        (2, 0.083333, 0.083333, 0.041667, 0.041667, 0.083333),
        (9, 0.25, 0.125, 0.078704, 0.090535, 0.166667),
        (23, 0.416667, 0.166667, 0.106884, 0.129805, 0.25),
        (44, 0.666667, 0.291667, 0.143939, 0.176653, 0.416667),
        (75, 0.833333, 0.416667, 0.187778, 0.238607, 0.666667),
        (123, 1.0, 0.458333, 0.235772, 0.303633, 0.75),
    ],
    (40, 5): [
        None,
        (9, 0.25, 0.175, 0.066667, 0.090123, 0.2),
        (31, 0.475, 0.25, 0.101613, 0.123205, 0.3),
        (67, 0.55, 0.275, 0.129104, 0.148006, 0.35),
        (111, 0.7, 0.3, 0.150901, 0.174077, 0.4),
    ],
}


@pytest.mark.parametrize(("n", "flip"), list(PLANE))
def test_lines_in_the_plane_have_the_known_sets(n, flip):
    X, y = example_points(n, flip)
    labelings = affine_labelings(X)
    assert len(labelings) == cover_count(n)
    found = good_models(labelings, np.ones(n, dtype=int), y, len(PLANE[n, flip]) - 1)
    for slack, expected in enumerate(PLANE[n, flip]):
        if expected is not None:
            stats = found.within(slack).stats()
            assert numbers(stats) == pytest.approx(expected, abs=6e-7)
            assert stats.widest <= stats.bound + 2 * slack / n
    churns = found.within(1).churns()
    if n == 24:
        assert "".join(map(str, found.labels[0])) == "101101011000000010101101"
        assert (churns > 2 / n + 1e-12).mean() == pytest.approx(0.3704, abs=5e-5)


def test_no_member_of_a_listed_set_breaks_the_bound():
    X, y = example_points(24, 6)
    found = good_models(affine_labelings(X), np.ones(24, dtype=int), y, 10)
    churns = found.churns()[0]
    assert (churns <= (found.errors[0] + found.errors) / 24 + 1e-12).all()


@pytest.mark.parametrize("n", [1, 2, 3, 7, 15])
def test_lines_agree_with_linear_programs(n):
    X = np.random.default_rng(n).uniform(0, 1, (n, 2))
    by_lines = affine_labelings(X)
    by_programs = linear_labelings(np.column_stack([X, np.ones(n)]), 1e-7)
    assert np.array_equal(by_lines, by_programs)
    assert len(by_lines) == cover_count(n)


def test_mixed_integer_programs_agree_with_the_list():
    X, y = example_points(16, 5)
    ones = np.ones(16, dtype=int)
    found = good_models(affine_labelings(X), ones, y, 3)
    search = LinearCells(np.column_stack([X, ones]), ones, y)
    assert search.erm().errors == found.errors[0]
    base = found.labels[0]
    costs = search.flip_costs(base, 3)
    for slack in range(4):
        stats = found.within(slack).stats()
        churned, most, model = search.discrepancy(base, slack)
        assert churned == most == pytest.approx(stats.discrepancy)
        assert model.errors <= found.errors[0] + slack
        assert (costs <= slack).mean() == pytest.approx(stats.ambiguity)


COMPAS_48 = {
    0.001: (26, 0.045727, 0.019458, 0.005027, 0.008095),
    0.002: (194, 0.105075, 0.033404, 0.010537, 0.017265),
    0.005: (8720, 0.321550, 0.085293, 0.025724, 0.039031),
    0.01: (371249, 0.567050, 0.167504, 0.052492, 0.078411),
    0.02: (35434581, 0.732123, 0.251662, 0.095183, 0.138298),
}


def test_lookup_tables_of_compas_have_the_known_sets():
    _, counts, positives = compas_cells("age", "priors", "male", "felony")
    tables = LookupTables(counts, positives)
    assert (len(counts), tables.n_rows, tables.errors) == (48, 6167, 2006)
    for eps, expected in COMPAS_48.items():
        stats = tables.stats(int(eps * 6167))
        assert numbers(stats)[:5] == pytest.approx(expected, abs=6e-7)


def test_lookup_tables_of_credit_have_the_known_sets():
    _, counts, positives = credit_cells()
    tables = LookupTables(counts, positives)
    assert (len(counts), tables.n_rows, tables.errors) == (35, 30000, 5392)
    found = numbers(tables.stats(300))[:5]
    assert found == pytest.approx((100284, 0.229, 0.0679, 0.028827, 0.042609), abs=6e-7)


@pytest.mark.parametrize("seed", range(6))
def test_lookup_tables_agree_with_the_list_of_all(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 9, 7)
    positives = rng.integers(0, counts + 1)
    every = np.array(list(itertools.product((0, 1), repeat=7)))
    tables = LookupTables(counts, positives)
    ties = 2 * positives == counts
    for slack in (0, 3, 8, 100):
        listed = good_models(every, counts, positives, slack)
        stats, exact = tables.stats(slack), listed.stats()
        assert stats.size == exact.size
        for name in ("ambiguity", "multiplicity", "widest", "bound"):
            assert getattr(stats, name) == pytest.approx(getattr(exact, name))
        if not ties.any():  # else the list leads with another of the best tables
            assert stats.discrepancy == pytest.approx(exact.discrepancy)
            assert stats.baseline_churn == pytest.approx(exact.baseline_churn)


def test_additive_models_of_twelve_cells_have_the_known_sets():
    rows, counts, positives = compas_cells("age", "priors")
    U = additive(rows)
    labelings = linear_labelings(U)
    assert len(labelings) == 1066
    found = good_models(labelings, counts, positives, int(0.05 * 6167))
    assert found.errors[:3].tolist()[:2] == [2057, 2057]
    assert "".join(map(str, found.labels[0])) == "011100010001"
    expected = {
        0.01: (4, 0.192476, 0.192476, 0.096238, 0.096238),
        0.02: (13, 0.430355, 0.246149, 0.122700, 0.158266),
        0.05: (63, 0.588779, 0.392249, 0.199981, 0.242275),
    }
    for eps, values in expected.items():
        stats = found.within(int(eps * 6167)).stats()
        assert numbers(stats)[:5] == pytest.approx(values, abs=6e-7)


def test_trees_of_depth_two_have_the_known_sets():
    rows, counts, positives = compas_binary()
    functions = free_trees(rows, 2)
    assert (len(rows), len(functions)) == (85, 1420)
    found = good_models(functions, counts, positives, int(0.05 * 6167))
    assert found.errors[0] == 2057 < found.errors[1]
    for eps, size, alpha, delta in (
        (0.005, 2, 0.093238, 0.093238),
        (0.01, 4, 0.278255, 0.192476),
        (0.02, 18, 0.443165, 0.246149),
        (0.05, 100, 0.743960, 0.338576),
    ):
        stats = found.within(int(eps * 6167)).stats()
        assert numbers(stats)[:3] == pytest.approx((size, alpha, delta), abs=6e-7)


@pytest.mark.parametrize(
    ("price", "slack", "known"), [(0.01, 0.01, 13), (0.005, 0.01, 8), (0.01, 0.03, 37)]
)
def test_sparse_trees_are_as_many_as_another_solver_counts(price, slack, known):
    found = sparse_trees(*compas_binary(), leaf_price=price, slack=slack, depth=2)
    assert len(found) == known


@pytest.mark.parametrize(("depth", "n_features"), [(2, 4), (3, 3)])
def test_sparse_trees_agree_with_the_list_of_all(depth, n_features):
    rng = np.random.default_rng(4)
    rows = np.unique(rng.integers(0, 2, (30, n_features)), axis=0)
    counts = rng.integers(1, 9, len(rows))
    positives = rng.integers(0, counts + 1)
    cells_of, price = (rows, counts, positives), 0.01
    found = sparse_trees(*cells_of, leaf_price=price, slack=0.05, depth=depth)
    every = sparse_trees(*cells_of, leaf_price=price, slack=9.0, depth=depth)
    best = every[0].objective
    kept = [t for t in every if t.objective <= best + 0.05 + 1e-12]
    assert [t.rule for t in found] == [t.rule for t in kept]
    free = free_trees(rows, depth)
    errors = free @ (counts - positives) + (1 - free) @ positives
    assert min(t.errors for t in every) == errors.min()
    for tree in every[:20]:
        wrong = np.where(tree.labels, counts - positives, positives).sum()
        assert wrong == tree.errors


@pytest.mark.parametrize("depth", [1, 2])
def test_good_trees_are_the_good_ones_of_all(depth):
    rows, counts, positives = compas_binary()
    listed = good_models(free_trees(rows, depth), counts, positives, 123)
    found = good_trees(rows, counts, positives, 123, depth)
    assert np.array_equal(found.labels, listed.labels)
    assert np.array_equal(found.errors, listed.errors)


def test_good_trees_of_depth_three_agree_with_all_of_few_questions():
    rng = np.random.default_rng(1)
    rows = np.unique(rng.integers(0, 2, (40, 4)), axis=0)
    counts = rng.integers(1, 9, len(rows))
    positives = rng.integers(0, counts + 1)
    listed = good_models(free_trees(rows[:, :3], 3), counts, positives, 5)
    found = good_trees(rows[:, :3], counts, positives, 5, 3)
    assert np.array_equal(found.labels, listed.labels)
    deeper = good_trees(rows, counts, positives, 0, 3).errors[0]
    assert deeper <= good_trees(rows, counts, positives, 0, 2).errors[0]


def test_a_search_out_of_time_brackets_the_answer():
    rows, counts, positives = compas_wide()
    search = LinearCells(additive(rows), counts, positives, time_limit=0.001)
    table = int(np.minimum(positives, counts - positives).sum())
    constant = search.erm()  # too short for any model but a constant one
    assert (constant.bound, constant.errors) == (table, positives.sum())
    search.time_limit = 4.0
    best = search.erm()
    # a score of eleven questions includes those of the 48 cells, whose least is 2013
    assert best.bound <= 2013
    assert table <= best.errors
    assert best.bound <= best.errors
    search.time_limit = 0.01  # too short for any model: the baseline is one
    low, high, _ = search.discrepancy(best.labels, 61)
    assert (low, high) == (0.0, pytest.approx((2 * best.errors + 61) / 6167))
    search.time_limit = 4.0
    low, high, model = search.discrepancy(best.labels, 61)
    assert low <= high <= (2 * best.errors + 61) / 6167
    assert model.errors <= best.errors + 61


def test_the_widest_pair_is_that_of_all_pairs():
    X, y = example_points(24, 6)
    found = good_models(affine_labelings(X), np.arange(1, 25), y, 30)
    assert found.widest() == pytest.approx(found.churns().max())
    assert found.from_baseline() == pytest.approx(found.churns()[0])


@pytest.mark.parametrize(
    ("eps", "n", "known"), [(0.29, 100, 29), (0.01, 6167, 61), (0.0, 9, 0)]
)
def test_slacks_are_rounded_down(eps, n, known):
    assert slack_of(eps, n) == known


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: affine_labelings(np.array([[0.0, 0], [1, 1], [2, 2]])), "on a line"),
        (lambda: affine_labelings(np.zeros((200, 2))), "from 1 to 120"),
        (lambda: affine_labelings(np.full((2, 2), np.nan)), "missing"),
        (lambda: cells(np.zeros((3, 1), dtype=int), np.array([0, 1, 2])), "labels 0"),
        (lambda: encode(pd.DataFrame({"a": [1.0, 1.0]})), "constant features a"),
        (lambda: encode(pd.DataFrame({"a": [1.0, np.nan]})), "missing values in a"),
        (
            lambda: encode(pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0, 2]})),
            "the same columns",
        ),
        (lambda: example_points(0, 1), "n = 0"),
        (lambda: example_points(5, 0), "flip = 0"),
        (
            lambda: LookupTables(np.array([1]), np.array([2])),
            "0 to all positive",
        ),
        (lambda: LookupTables(np.array([2]), np.array([1])).stats(-1), "slack = -1"),
        (lambda: linear_labelings(np.ones((40, 2))), "at most 30"),
        (lambda: linear_labelings(np.zeros((2, 2))), "no feature"),
        (lambda: free_trees(np.array([[2]])), "of 0, 1"),
        (lambda: free_trees(np.ones((3, 20), dtype=int), 3), "candidates"),
        (lambda: slack_of(-0.01, 10), "eps = -0.01"),
        (lambda: good_models(np.eye(1, dtype=int), *ONE, -1), "slack = -1"),
        (lambda: good_trees(np.array([[1]]), *ONE, -1), "slack = -1"),
        (lambda: good_trees(np.array([[1]]), *ONE, 1, 4), "depth = 4"),
        (lambda: free_trees(np.array([[1]]), -1), "depth = -1"),
        (lambda: LinearCells(np.ones((1, 1)), *ONE, margin=1.0), "margin = 1"),
        (lambda: LinearCells(np.ones((1, 1)), *ONE, time_limit=0.0), "time_limit = 0"),
        (lambda: load("german"), "name = 'german'"),
        (lambda: compas_cells("race"), "columns"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
