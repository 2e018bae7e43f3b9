"""Expectations: their form, their judgement at the edge, and their words."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from econlib.book.expectations import check_expectation, describe, judge

ORDER = {"increasing": ["low", "mid", "high"], "margin": 0.25}
MATCH = {"match": ["ours", "truth"], "rtol": 0.5}
TABLE = {"table": {"bid": 0.25, "ask": 0.75}, "atol": 0.125}
PARTS = {"parts": {"gap": {"at_most": 1.0}, "convex": {"property": "u is convex"}}}


# Steps of 1/8 are exact in binary, so an edge is an edge.
@pytest.mark.parametrize(
    ("expect", "measured", "holds"),
    [
        ({"value": 2.0, "atol": 0.125}, 2.125, True),
        ({"value": 2.0, "atol": 0.125}, 1.8125, False),
        ({"value": -2.0, "rtol": 0.0625}, -2.125, True),
        ({"value": -2.0, "rtol": 0.0625}, -2.1875, False),
        ({"at_least": 0.5}, 0.5, True),
        ({"at_least": 0.5}, 0.4375, False),
        ({"at_most": 0.5}, 0.5, True),
        ({"at_most": 0.5}, 0.5625, False),
        ({"between": [0, 1]}, 1, True),
        ({"between": [0, 1]}, 0, True),
        ({"between": [0, 1]}, -0.125, False),
        ({"property": "u is convex"}, True, True),
        ({"property": "u is convex"}, False, False),
        (ORDER, {"low": 0.0, "mid": 0.25, "high": 0.5}, True),
        (ORDER, {"low": 0.0, "mid": 0.25, "high": 0.375}, False),
        ({"increasing": ["p", "q"]}, {"p": 1.0, "q": 1.0}, False),
        (MATCH, {"ours": 3.0, "truth": 2.0}, True),
        (MATCH, {"ours": 2.0, "truth": 3.5}, True),
        (MATCH, {"ours": 3.5, "truth": 2.0}, False),
        (TABLE, {"ask": 0.875, "bid": 0.125}, True),
        (TABLE, {"ask": 0.75, "bid": 0.5}, False),
        (PARTS, {"gap": 0.5, "convex": True}, True),
        (PARTS, {"gap": 0.5, "convex": False}, False),
        (PARTS, {"gap": 1.5, "convex": True}, False),
    ],
)
def test_an_expectation_holds_up_to_its_edge_and_no_further(expect, measured, holds):
    assert check_expectation(expect) is None
    assert judge(expect, measured).holds is holds


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_value_match_and_table_agree_with_one_another(x, truth, atol):
    value = judge({"value": truth, "atol": atol}, x).holds
    match = judge({"match": ["x", "y"], "atol": atol}, {"x": x, "y": truth}).holds
    table = judge({"table": {"x": truth}, "atol": atol}, {"x": x}).holds
    assert value == match == table == (abs(x - truth) <= atol)


@pytest.mark.parametrize(
    "scalar",
    [0.5, np.float32(0.5), np.array(0.5), torch.tensor(0.5, requires_grad=True)],
)
def test_scalars_of_numpy_and_torch_are_numbers(scalar):
    outcome = judge({"value": 0.5, "atol": 0.0}, scalar)
    assert outcome.holds
    assert type(outcome.measured) is float


@pytest.mark.parametrize("flag", [np.bool_(True), torch.tensor(True)])
def test_truth_values_of_numpy_and_torch_are_truth_values(flag):
    assert judge({"property": "holds"}, flag).measured is True


@pytest.mark.parametrize(
    ("expect", "measured", "message"),
    [
        ({"at_most": 1}, True, "measured = True: expected a number"),
        ({"at_most": 1}, "0.5", "measured = '0.5': expected a number"),
        ({"at_most": 1}, float("nan"), "measured = nan: expected a finite number"),
        ({"at_least": 1}, float("inf"), "measured = inf: expected a finite number"),
        ({"at_most": 1}, {"gap": 0.5}, "expected a number"),
        ({"at_most": 1}, np.zeros(3), "expected a number"),
        ({"property": "holds"}, 1, "measured = 1: expected True or False"),
        ({"property": "holds"}, {"a": True}, "expected True or False"),
        (MATCH, 0.5, "expected a mapping with ours, truth"),
        (MATCH, {"ours": 0.5}, "lacks 'truth': expected ours, truth"),
        (TABLE, {"bid": 1.0, "ask": 1.0, "mid": 1.0}, "has 'mid' too"),
        (TABLE, {"bid": 1.0, "ask": float("nan")}, "ask = nan: expected a finite"),
        (PARTS, {"gap": 0.5, "convex": 1.0}, "part 'convex': measured = 1.0"),
        (PARTS, {"gap": 0.5}, "lacks 'convex'"),
    ],
)
def test_a_measurement_of_another_shape_is_an_error(expect, measured, message):
    with pytest.raises(ValueError, match=message):
        judge(expect, measured)


def test_a_large_measurement_is_shown_on_one_short_line():
    with pytest.raises(ValueError) as caught:
        judge({"at_most": 1}, np.arange(100_000))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("expect", "fault"),
    [
        (0.5, "expected a mapping with one of value, at_least"),
        ({}, "expected exactly one of"),
        ({"at_leest": 1}, "expected exactly one of .* got at_leest"),
        ({"at_least": 1, "at_most": 2}, "expected exactly one of"),
        ({"value": 1}, "value needs one tolerance, atol or rtol"),
        ({"value": 1, "atol": 1, "rtol": 1}, "value needs one tolerance"),
        ({"value": 1, "atol": -1}, "atol = -1: expected a number, 0 or more"),
        ({"value": 1, "atol": "1e-4"}, "YAML reads 1.0e-4 as a number"),
        ({"value": float("nan"), "atol": 1}, "value = nan: expected a finite number"),
        ({"value": True, "atol": 1}, "value = True: expected a finite number"),
        ({"at_least": "x"}, "at_least = 'x': expected a finite number"),
        ({"at_least": 1, "atol": 0.1}, "unknown key 'atol' beside at_least"),
        ({"at_least": 1, 2: 3}, "unknown key 2 beside at_least"),
        ({"between": [2, 1]}, r"between = \[2, 1\]: expected \[low, high\]"),
        ({"between": [1]}, r"expected \[low, high\]"),
        ({"property": True}, "property = True: expected a sentence"),
        ({"property": " "}, "expected a sentence"),
        ({"increasing": ["a"]}, "expected a list of names"),
        ({"increasing": ["a", "a"]}, "a name stands twice"),
        ({"increasing": ["a", "b"], "margin": -1}, "margin = -1: expected a number, 0"),
        ({"match": ["a", "b", "c"], "atol": 1}, "expected a list of names"),
        ({"match": ["a", "b"]}, "match needs one tolerance"),
        ({"table": {}, "atol": 1}, "expected numbers by name"),
        ({"table": {"a": "b"}, "atol": 1}, "table.a = 'b': expected a finite number"),
        ({"table": {2: 1.0}, "atol": 1}, "name = 2: expected text; quote it"),
        ({"parts": []}, "expected expectations by name"),
        ({"parts": {"a": {"value": 1}}}, "parts.a: value needs one tolerance"),
        ({"parts": {"a": {"parts": {}}}}, "parts.a: parts do not nest"),
    ],
)
def test_a_malformed_expectation_is_named(expect, fault):
    assert re.search(fault, check_expectation(expect) or "")


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ({"value": 0.125, "atol": 1e-4}, "0.125 ± 0.0001"),
        ({"value": 0.125, "rtol": 0.01}, "0.125 ± 1 %"),
        ({"at_least": 0.995}, "≥ 0.995"),
        ({"at_most": 1e-8}, "≤ 1e-08"),
        ({"between": [0, 0.5]}, "0 to 0.5"),
        ({"property": "u is convex"}, "u is convex"),
        (ORDER, "low < mid < high, by 0.25 or more"),
        (MATCH, "ours = truth, to 50 %"),
        (TABLE, "bid 0.25, ask 0.75; each ± 0.125"),
        (PARTS, "gap: ≤ 1; convex: u is convex"),
    ],
)
def test_an_expectation_in_words(expect, words):
    assert describe(expect) == words
