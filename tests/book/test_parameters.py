"""Parameters: read from their cell, checked by their own range, all faults at once."""

from __future__ import annotations

import pytest
from demo_notebook import PARAMETERS
from hypothesis import given
from hypothesis import strategies as st

from econlib.book.parameters import ParameterError, check, parse

DEMO = parse(PARAMETERS)


def _one(line: str):
    (parameter,) = parse(line).values()
    return parameter


def test_a_cell_is_read_with_types_defaults_meanings_and_ranges():
    assert list(DEMO) == ["seed", "lam", "name", "pair", "pause", "fail"]
    assert DEMO["lam"].kind == "float"
    assert DEMO["lam"].default == 0.5
    assert DEMO["lam"].meaning == "a weight"
    assert DEMO["lam"].range == "[0, 1)"
    assert DEMO["fail"].range == ""


@given(x=st.floats(-2, 2))
def test_an_interval_takes_what_lies_in_it(x):
    assert (_one("a: float = 0.5  # x; [0, 1)").fault(x) is None) == (0 <= x < 1)
    assert (_one("a: float = 0.5  # x; (0, 1]").fault(x) is None) == (0 < x <= 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 1.0),
        ("seed", "1"),
        ("seed", True),
        ("seed", -1),
        ("seed", None),
        ("lam", 1.0),
        ("lam", float("nan")),
        ("lam", float("inf")),
        ("lam", "0.5"),
        ("lam", True),
        ("name", "normal"),
        ("name", 1),
        ("pair", [0.1]),
        ("pair", [0.1, 2.0]),
        ("pair", 0.1),
        ("pair", ["0.1", 0.2]),
        ("fail", 1),
    ],
)
def test_wrong_type_or_range_is_one_line_with_name_value_range_and_a_way_out(
    name, value
):
    with pytest.raises(ParameterError) as caught:
        check(DEMO, {name: value})
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{name} = {value!r}: expected ")
    assert f"Try -p {name} " in message


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", 1000), ("lam", 0), ("name", "beta"), ("pair", [0, 1.0]), ("fail", True)],
)
def test_ends_of_a_range_and_whole_numbers_are_taken(name, value):
    check(DEMO, {name: value})
    assert DEMO[name].fault(value) is None


def test_all_faults_come_in_one_message_and_misspelt_names_get_the_nearest():
    with pytest.raises(ParameterError) as caught:
        check(DEMO, {"sead": 1, "lam": 2, "name": "x", "zzz": 1})
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert lines[0].endswith("Did you mean seed?")
    assert "no such parameter" in lines[3]
    assert "Did you mean" not in lines[3]


def test_lists_have_length_and_kind():
    rows = _one("s: list = [[0, 0.5]]  # pairs; 1 to 2 of [0, 1] x [0, 1)")
    assert rows.fault([[1, 0]]) is None
    for bad in ([], [[0, 0]] * 3, [[0, 1]], [[0]], [0.1]):
        assert rows.fault(bad) is not None
    plain = _one("s: list = [1]  # numbers; 1 to 3 of [0, 9]")
    assert plain.fault([1, 2, 3]) is None
    assert plain.fault([[1]]) is not None


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("a = 1  # x; [0, 1]", "a"),
        ("a: int = 1", "a"),
        ("a: int = 1  # no range at all", "no range"),
        ("a: int = 7  # x; [0, 1]", "default a = 7"),
        ("a: complex = 1  # x; [0, 1]", "a"),
        ("import os", "cell"),
        ("", "declares no parameter"),
    ],
)
def test_a_cell_that_does_not_follow_the_form_says_where(cell, message):
    with pytest.raises(ParameterError, match=message):
        parse(cell, where="cell")
