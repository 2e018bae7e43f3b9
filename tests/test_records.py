"""Records: written whole or not at all, read back, with what made them."""

from __future__ import annotations

import numpy as np
import pytest

from econlib import records


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "_ROOT", tmp_path)
    return tmp_path


def test_a_record_comes_back_and_has_a_line_for_each_run(root):
    kept = {"budget": 3, "runs": [{"seed": 0, "u": [0.1]}, {"seed": 1, "u": [None]}]}
    records.write("data/recorded/x/long.json", kept, row="seed")
    assert records.load("data/recorded/x/long.json") == kept
    text = (root / "data/recorded/x/long.json").read_text()
    assert [line.startswith(' {"seed"') for line in text.splitlines()] == [
        False,
        True,
        True,
    ]
    records.write("short.json", kept)
    assert records.load("short.json") == kept
    assert sorted(p.name for p in root.rglob("*") if p.is_file()) == [
        "long.json",
        "short.json",
    ]


def test_a_record_that_cannot_be_written_leaves_the_old_one(root):
    records.write("one.json", {"a": 1})
    with pytest.raises(TypeError):
        records.write("one.json", {"a": object()})
    assert records.load("one.json") == {"a": 1}


def test_provenance_names_what_ran():
    made = records.provenance("numpy")
    assert made["versions"] == {"numpy": np.__version__}
    assert made["python"].startswith("3.") and "cores" in made["machine"]


def test_digits_keep_significant_ones_and_what_is_missing():
    values = np.array([1234567.8, 1.23456789e-5, np.inf, 0.0])
    assert records.digits(values, 3) == [1230000.0, 1.23e-5, None, 0.0]


def test_a_shelf_makes_and_loads_the_records_it_names(root):
    shelf = records.Shelf("data/{}.json", ("one", "two"), "seed", "part")
    shelf.record(lambda name: {"made": name, "runs": [{"seed": 0}]}, ["two"])
    assert shelf.load("two") == {"made": "two", "runs": [{"seed": 0}]}
    assert not (root / "data/one.json").exists()
    shelf.record(lambda name: {"made": name.upper()})
    assert [shelf.load(n)["made"] for n in shelf.names] == ["ONE", "TWO"]


def test_an_unknown_record_is_named_before_any_is_made(root):
    shelf = records.Shelf("data/{}.json", ("one", "two"), "seed", "part")
    with pytest.raises(ValueError, match="part = 'three': expected one of one, two"):
        shelf.record(lambda name: {}, ["one", "three"])
    assert not (root / "data").exists()
    with pytest.raises(ValueError, match="part = 'three'"):
        shelf.load("three")
