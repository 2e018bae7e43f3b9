"""The scoreboard: joined from claims and executed notebooks, and true in the README."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from econlib.book.claims import ClaimsError
from econlib.book.runs import ROOT, RunError
from econlib.book.scoreboard import (
    Row,
    checks,
    collect,
    compare,
    frame,
    markdown_totals,
    render_terminal,
    titles,
    totals,
    write_readme,
)

MARKERS = "<!-- scoreboard -->\n<!-- /scoreboard -->"


def make(claim: str, verdict: str, paper: str = "demo") -> Row:
    fields = {f.name: "" for f in dataclasses.fields(Row)}
    return Row(**fields | {"paper": paper, "claim": claim, "verdict": verdict})


@pytest.fixture
def demo(small_book):
    """Three claims, of which one holds, one differs and one is not checked."""
    small_book.write_claims(
        small_book.row("thm-1", paper="1/2", kind="lemma"),
        small_book.row("tab/1"),
        small_book.row("fig-1"),
    )
    cells = [small_book.check_cell("demo/thm-1", 0.5)]
    cells.append(small_book.check_cell("demo/tab/1", 0.75))
    small_book.write_notebook(*small_book.set_up_cells(), *cells)
    return small_book


def test_rows_join_claims_with_what_notebooks_measured(demo):
    holds, differs, unchecked = collect(demo.root)
    assert holds == Row(
        paper="demo",
        claim="thm-1",
        kind="lemma",
        statement="One half is one half.",
        value="1/2",
        expected="0.5 ± 0.01",
        measured="0.5",
        verdict="illustrated",
        notebook="chapters/demo/01_half.ipynb",
        anchor="claim-demo-thm-1",
    )
    assert (differs.verdict, differs.measured) == ("differs", "0.75")
    assert differs.anchor == "claim-demo-tab-1"
    assert (unchecked.verdict, unchecked.measured) == ("open", "")
    assert unchecked.expected == "0.5 ± 0.01"


def test_the_anchor_of_a_row_is_the_one_in_the_page(demo):
    for row, record in zip(collect(demo.root), checks(demo.path), strict=False):
        bundle = demo.bundle(f"demo/{row.claim}", record["measured"])
        assert f'id="{row.anchor}"' in bundle["text/html"]


def test_a_source_without_its_output_leaves_a_claim_open(demo):
    cell = demo.check_cell("demo/fig-1", 0.5)
    cell.outputs = []
    demo.write_notebook(*demo.set_up_cells(), cell)
    assert {row.verdict for row in collect(demo.root)} == {"open"}


def test_a_run_elsewhere_is_judged_with_the_claims_of_the_repository(
    demo, tmp_path, monkeypatch
):
    monkeypatch.setattr("econlib.book.scoreboard.ROOT", demo.root)
    fresh = tmp_path / "_build" / "reproduce"
    path = fresh / "chapters" / "demo" / "01_half.ipynb"
    path.parent.mkdir(parents=True)
    demo.write_notebook(demo.check_cell("demo/fig-1", 0.5), path=path)
    verdicts = [row.verdict for row in collect(fresh)]
    assert verdicts == ["open", "open", "illustrated"]


def test_an_executed_check_without_a_claim_is_an_error(demo):
    demo.write_claims(demo.row("tab/1"))
    with pytest.raises(
        ClaimsError, match=r"01_half\.ipynb: checks 'demo/thm-1', which"
    ):
        collect(demo.root)


def test_a_claim_checked_in_two_notebooks_is_an_error(demo):
    second = demo.path.with_name("02_again.ipynb")
    demo.write_notebook(demo.check_cell("demo/thm-1", 0.5), path=second)
    with pytest.raises(ClaimsError, match=r"02_again.*'demo/thm-1', as .*01_half"):
        collect(demo.root)


def test_a_damaged_notebook_is_an_error_naming_it(demo):
    demo.path.write_text(demo.path.read_text()[:200])
    with pytest.raises(RunError, match=r"01_half\.ipynb: not a readable notebook"):
        collect(demo.root)


def test_totals_count_each_row_once(demo):
    other = [make("a", "recorded", "other"), make("b", "open", "other")]
    table = totals(collect(demo.root) + other)
    assert list(table.index) == ["demo", "other", "all"]
    assert table.loc["demo"].to_dict() == {
        "reproduced": 0,
        "reproduced at book scale": 0,
        "recorded": 0,
        "illustrated": 1,
        "differs": 1,
        "open": 1,
        "claims": 3,
    }
    assert table.loc["all", "claims"] == 5
    assert table.loc["all", "open"] == 2


def test_no_rows_have_totals_of_nought():
    assert totals([]).loc["all", "claims"] == 0
    assert render_terminal([]) == "no claims"


def test_compare_names_each_verdict_that_changed():
    before = [make("a", "illustrated"), make("b", "open"), make("c", "differs")]
    after = [make("a", "differs"), make("b", "open"), make("d", "open")]
    assert compare(before, after) == [
        "demo/a: illustrated -> differs",
        "demo/c: differs -> absent",
        "demo/d: absent -> open",
    ]
    assert compare(before, before) == []


def test_compare_sees_a_check_that_was_removed(demo):
    before = collect(demo.root)
    demo.write_notebook(*demo.set_up_cells(), demo.check_cell("demo/tab/1", 0.75))
    assert compare(before, collect(demo.root)) == ["demo/thm-1: illustrated -> open"]


def test_the_terminal_shows_every_claim_and_the_totals(demo):
    lines = render_terminal(collect(demo.root)).splitlines()
    assert lines[0] == "demo"
    assert lines[1].split() == ["thm-1", "illustrated", "0.5"]
    assert lines[2].split() == ["tab/1", "differs", "0.75"]
    assert lines[3].split() == ["fig-1", "open"]
    assert lines[-1].split() == ["all", "0", "0", "0", "1", "1", "1", "3"]


def test_a_long_measurement_is_cut_in_the_terminal():
    row = dataclasses.replace(make("a", "differs"), measured="x" * 200)
    assert max(map(len, render_terminal([row]).splitlines())) < 100


def test_markdown_totals_leave_out_verdicts_that_no_claim_has(demo):
    assert markdown_totals(collect(demo.root)).splitlines() == [
        "| chapter | illustrated | differs | open | claims |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| demo | 1 | 1 | 1 | 3 |",
        "| all | 1 | 1 | 1 | 3 |",
    ]


def test_the_readme_is_written_once_and_keeps_its_text(demo):
    readme = demo.root / "README.md"
    readme.write_text(f"# Book\n\n{MARKERS}\n\nMore.\n")
    assert write_readme(demo.root) is True
    text = readme.read_text()
    assert text.startswith("# Book\n\n<!-- scoreboard -->\n| chapter |")
    assert text.endswith("<!-- /scoreboard -->\n\nMore.\n")
    assert "| demo | 1 | 1 | 1 | 3 |" in text
    assert write_readme(demo.root) is False
    assert [p.name for p in demo.root.glob("README*")] == ["README.md"]


@pytest.mark.parametrize("text", ["# Book", "<!-- /scoreboard --> <!-- scoreboard -->"])
def test_a_readme_without_markers_is_left_alone(demo, text):
    readme = demo.root / "README.md"
    readme.write_text(text)
    with pytest.raises(ValueError, match=r"README\.md: expected <!-- scoreboard -->"):
        write_readme(demo.root)
    assert readme.read_text() == text


def test_titles_and_frame_are_those_of_the_files(demo):
    assert titles(demo.root) == {"demo": "A demonstration"}
    table = frame(collect(demo.root))
    assert isinstance(table, pd.DataFrame)
    assert list(table["claim"]) == ["thm-1", "tab/1", "fig-1"]


def test_the_readme_shows_the_totals_of_the_book():
    shown = (ROOT / "README.md").read_text(encoding="utf-8")
    between = shown.split("<!-- scoreboard -->")[1].split("<!-- /scoreboard -->")[0]
    assert between.strip() == markdown_totals(collect(ROOT))
