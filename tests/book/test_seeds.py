"""Verdicts over seeds: the book's own tables, and a small one broken rule by rule."""

from __future__ import annotations

import pytest

from econlib.book.runs import ROOT, RunError
from econlib.book.seeds import agreement

NAME = "chapters/demo/01_half.ipynb"


@pytest.fixture
def keep(small_book):
    """A book with one check; the function keeps a table of seeds beside it."""
    small_book.write_claims(small_book.row("thm-1"))
    cell = small_book.check_cell("demo/thm-1", 0.5)
    small_book.write_notebook(*small_book.set_up_cells(), cell)

    def write(*rows: str, header="claim,verdict,points", notebook="01_half"):
        folder = small_book.root / "data" / "recorded" / "demo" / "seeds" / notebook
        folder.mkdir(parents=True)
        (folder / "verdicts.csv").write_text("\n".join([header, *rows]) + "\n")
        return small_book.root

    return write


def test_every_kept_table_of_the_book_agrees_with_its_notebook():
    kept = agreement(ROOT)
    assert kept
    assert {name: s.faults for name, s in kept.items() if s.faults} == {}


def test_nine_seeds_of_ten_are_enough(keep):
    root = keep("demo/thm-1,illustrated,9", "demo/thm-1,differs,1")
    (seeds,) = agreement(root).values()
    assert (seeds.n_points, seeds.n_agreeing, seeds.faults) == (10, 9, [])


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (
            ["demo/thm-1,illustrated,8", "demo/thm-1,differs,2"],
            "demo/thm-1: illustrated in 8 of 10 seeds",
        ),
        (["demo/thm-1,differs,10"], "demo/thm-1: illustrated in 0 of 10 seeds"),
        (["demo/thm-1,illustrated,9"], "9 seeds; expected 10 or more"),
        (["demo/thm-2,illustrated,10"], "demo/thm-1: no seed checks it"),
        (
            ["demo/thm-1,illustrated,10", "demo/thm-2,illustrated,10"],
            "demo/thm-2: the notebook checks it not",
        ),
    ],
)
def test_what_does_not_agree_is_a_fault(keep, rows, fault):
    assert fault in agreement(keep(*rows))[NAME].faults


def test_a_table_without_its_notebook_is_an_error(keep):
    root = keep("demo/thm-1,illustrated,10", notebook="02_gone")
    with pytest.raises(RunError, match=r"02_gone/verdicts\.csv: there is no notebook"):
        agreement(root)


def test_a_table_with_other_columns_is_an_error(keep):
    with pytest.raises(RunError, match="expected the columns claim, verdict, points"):
        agreement(keep("demo/thm-1,10", header="claim,points"))
