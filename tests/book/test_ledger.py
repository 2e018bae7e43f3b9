"""The ledger's rules, on the book itself and on a small book that breaks each once."""

from __future__ import annotations

import base64

import pytest
from nbformat.v4 import new_code_cell, new_output

from econlib.book import results
from econlib.book.ledger import MAX_PNG_BYTES, faults
from econlib.book.runs import ROOT, notebooks


def test_the_book_keeps_every_rule():
    assert notebooks(ROOT)
    assert faults(ROOT) == []


@pytest.fixture
def cells(small_book):
    """Cells of a notebook that keeps every rule, by id."""
    small_book.write_claims(small_book.row("thm-1"), small_book.row("fig-1"))
    made = [
        *small_book.set_up_cells(),
        small_book.figure_cell(),
        small_book.check_cell("demo/thm-1", 0.5),
        small_book.check_cell("demo/fig-1", 0.505),
    ]
    return {cell.id: cell for cell in made}


def found(book, cells):
    book.write_notebook(*cells.values())
    return faults(book.root)


def test_a_small_book_in_order_has_no_fault(small_book, cells):
    assert found(small_book, cells) == []


def test_a_check_removed_from_a_notebook_is_a_fault(small_book, cells):
    del cells["demo-thm-1"]
    home = "chapters/demo/01_half.ipynb"
    assert found(small_book, cells) == [
        f"demo/thm-1: checks in the sources: none; expected one in {home}",
        f"demo/thm-1: checks executed: none; expected one in {home}",
    ]


def test_a_check_whose_output_was_dropped_is_a_fault(small_book, cells):
    cells["demo-thm-1"].outputs = []
    assert [f for f in found(small_book, cells) if "executed: none" in f]


def test_an_output_whose_check_was_dropped_is_a_fault(small_book, cells):
    cells["demo-thm-1"].source = 'claims.check("demo/fig-1", measured=half)'
    listed = " ".join(found(small_book, cells))
    assert "demo/thm-1: checks in the sources: none" in listed
    assert "demo/fig-1: checks in the sources: chapters" in listed


def test_a_check_made_twice_is_a_fault(small_book, cells):
    again = small_book.check_cell("demo/thm-1", 0.5)
    again.id = "again"
    listed = found(small_book, cells | {"again": again})
    assert len(listed) == 2
    assert all("01_half.ipynb, chapters/demo/01_half.ipynb" in f for f in listed)


def test_a_check_in_another_notebook_than_the_claim_names_is_a_fault(small_book, cells):
    small_book.write_claims(
        small_book.row("thm-1", notebook="02_other"), small_book.row("fig-1")
    )
    listed = found(small_book, cells)
    assert len(listed) == 2
    assert all(
        f.endswith("expected one in chapters/demo/02_other.ipynb") for f in listed
    )


def test_a_check_without_a_claim_is_a_fault(small_book, cells):
    small_book.write_claims(small_book.row("fig-1"))
    listed = found(small_book, cells)
    assert (
        listed
        == ["chapters/demo/01_half.ipynb: checks demo/thm-1, which no claims file has"]
        * 2
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"expect": {"at_least": 0.75}},
            "'illustrated', but the claims file says 'dif",
        ),
        ({"on_pass": "recorded"}, "'illustrated', but the claims file says 'recorded'"),
        ({"expect": {"value": 0.5, "atol": 0.02}}, "expectation changed"),
        ({"expect": {"property": "holds"}}, "expected True or False: execute"),
    ],
)
def test_a_verdict_that_the_claims_file_left_behind_is_a_fault(
    small_book, cells, change, message
):
    small_book.write_claims(small_book.row("thm-1", **change), small_book.row("fig-1"))
    listed = found(small_book, cells)
    assert len(listed) == 1
    assert "cell demo-thm-1: demo/thm-1" in listed[0]
    assert message in listed[0]
    assert "again" in listed[0]


@pytest.mark.parametrize(
    ("cell", "change", "message"),
    [
        (
            "parameters",
            {"source": "scale: float = 1.0  # factor"},
            "no range at the end",
        ),
        ("parameters", {"metadata": {}}, "0 cells tagged 'parameters'"),
        ("set-up", {"source": "half = 0.5"}, "does not call parameters.validate()"),
        ("demo-thm-1", {"metadata": {}}, "without the tag nbval-check-output"),
        (
            "set-up",
            {"metadata": {"tags": ["nbval-check-output"]}},
            "tagged nbval-check-output without checking",
        ),
        (
            "demo-thm-1",
            {"source": 'claims.check("demo/thm-1", measured=0.5)'},
            "demo/thm-1: measured is not computed",
        ),
        (
            "demo-thm-1",
            {"source": 'claims.check("demo/thm-1", {"a": -1e-3})'},
            "demo/thm-1: measured is not computed",
        ),
        (
            "demo-thm-1",
            {"source": 'claims.check(f"demo/{name}", measured=half)'},
            "the id is not written out",
        ),
        ("pixel", {"metadata": {}}, "figure without caption"),
        ("pixel", {"metadata": {}}, "figure without name"),
        ("pixel", {"metadata": {}}, "figure without alt"),
        ("title", {"source": "# Half"}, "figure fig-demo-pixel is never cited"),
        ("title", {"metadata": {"papermill": {}}}, "papermill's metadata is left in"),
    ],
)
def test_a_cell_that_breaks_a_rule_is_a_fault(small_book, cells, cell, change, message):
    cells[cell].update(change)
    assert [f for f in found(small_book, cells) if message in f]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            new_output("error", ename="ValueError", evalue="no"),
            "failed with ValueError",
        ),
        (new_output("stream", name="stderr", text="50 %"), "standard error"),
        (new_output("stream", text="x.py:1: UserWarning: no"), "shows a warning"),
        (
            new_output("stream", text=f"at /{'home'}/ann/x"),
            "an absolute path",
        ),
        (new_output("stream", text=r"saved to C:\Users\ann"), "an absolute path"),
        (
            new_output("stream", text="Traceback (most recent call last)"),
            "shows a traceback",
        ),
        (
            new_output("execute_result", data={"text/plain": "<Figure size 6x4>"}),
            "an undrawn figure",
        ),
    ],
)
def test_an_output_that_a_reader_should_not_see_is_a_fault(
    small_book, cells, output, message
):
    cells["set-up"].outputs = [output]
    listed = found(small_book, cells)
    assert len(listed) == 1
    assert "cell set-up" in listed[0]
    assert message in listed[0]


@pytest.mark.parametrize("text", ["https://a.org/tmp/x", "the ratio a/opt/b", "1/2"])
def test_a_slash_alone_is_not_a_path_of_a_machine(small_book, cells, text):
    cells["set-up"].outputs = [new_output("stream", text=text)]
    assert found(small_book, cells) == []


def test_a_check_that_displays_more_than_itself_is_a_fault(small_book, cells):
    cells["demo-thm-1"].outputs.append(new_output("stream", text="0.5"))
    assert [f for f in found(small_book, cells) if "displays more than" in f]


def test_a_check_may_stand_beside_results(small_book, cells):
    data = {results.MIME: {"profit": 0.5}, "text/plain": "recorded: profit = 0.5"}
    cells["demo-thm-1"].outputs.append(new_output("display_data", data=data))
    assert found(small_book, cells) == []


def test_a_figure_name_that_stands_twice_is_a_fault(small_book, cells):
    again = small_book.figure_cell()
    again.id = "again"
    listed = found(small_book, cells | {"again": again})
    assert len(listed) == 1
    assert (
        "fig-demo-pixel stands in chapters/demo/01_half.ipynb: cell pixel" in listed[0]
    )


def test_a_large_figure_is_a_fault(small_book, cells):
    png = base64.b64encode(b"x" * (MAX_PNG_BYTES + 1)).decode()
    cells["pixel"].outputs[0].data["image/png"] = png
    assert [f for f in found(small_book, cells) if "figure of 60 KB" in f]


def test_cells_executed_out_of_order_are_a_fault(small_book, cells):
    path = small_book.write_notebook(*cells.values())
    text = path.read_text().replace('"execution_count": 2', '"execution_count": 7')
    path.write_text(text)
    assert [f for f in faults(small_book.root) if "execution counts [1, 7, 3" in f]


def test_a_cell_that_was_never_executed_is_a_fault(small_book, cells):
    path = small_book.write_notebook(*cells.values())
    text = path.read_text().replace('"execution_count": 3', '"execution_count": null')
    path.write_text(text)
    assert [f for f in faults(small_book.root) if "execution counts [1, 2, None" in f]


def test_a_cell_that_is_not_python_alone_makes_no_check(small_book, cells):
    cells["magic"] = new_code_cell("%matplotlib inline", id="magic")
    assert found(small_book, cells) == []


def test_a_claim_that_differs_says_why(small_book, cells):
    cells["demo-thm-1"] = small_book.check_cell("demo/thm-1", 0.75)
    (fault,) = found(small_book, cells)
    assert "demo/thm-1: differs, and its row has no note" in fault
    rows = small_book.row("thm-1", note="Made so."), small_book.row("fig-1")
    small_book.write_claims(*rows)
    assert found(small_book, cells) == []


@pytest.mark.parametrize(
    ("then", "now", "in_order"),
    [
        ("reproduced", "reproduced at book scale", True),
        ("reproduced at book scale", "reproduced", True),
        ("reproduced", "illustrated", False),
        ("illustrated", "reproduced", False),
    ],
)
def test_a_run_may_have_had_either_scale_but_no_other_verdict(
    small_book, cells, then, now, in_order
):
    small_book.write_claims(small_book.row("thm-1", on_pass=then))
    cells["demo-thm-1"] = small_book.check_cell("demo/thm-1", 0.5)
    small_book.write_claims(
        small_book.row("thm-1", on_pass=now), small_book.row("fig-1")
    )
    assert (found(small_book, cells) == []) is in_order


def test_two_figures_under_one_caption_are_a_fault(small_book, cells):
    cells["pixel"].outputs *= 2
    assert [f for f in found(small_book, cells) if "2 figures under one caption" in f]
