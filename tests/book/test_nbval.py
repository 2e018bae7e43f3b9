"""nbval on a small book: noise passes; a changed verdict, a removed check do not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def outcomes(small_book, tmp_path):
    """Messages of the cells that fail, by the name of their notebook."""
    book = small_book
    book.write_claims(book.row("a"), book.row("b"))

    def notebook(name, *cells):
        book.write_notebook(
            *book.set_up_cells(), *cells, path=book.path.with_name(f"{name}.ipynb")
        )

    first, second = (book.check_cell(f"demo/{x}", 0.5) for x in "ab")
    notebook("same", first, second)
    notebook("noise", book.check_cell("demo/a", 0.4951), second)
    notebook("verdict", book.check_cell("demo/a", 0.75), second)
    notebook("value", book.check_cell("demo/a", 0.5, "half += 0.25\n" + first.source))
    notebook("removed", book.check_cell("demo/a", 0.5, "half"), second)
    unsaid = book.check_cell("demo/a", 0.5)
    unsaid.outputs = []
    notebook("unsaid", unsaid, second)
    notebook("error", book.check_cell("demo/a", 0.5, 'claims.check("demo/c", half)'))

    report = tmp_path / "report.xml"
    (tmp_path / "conftest.py").write_text((REPOSITORY / "conftest.py").read_text())
    options = ["--nbval-lax", "--nbval-sanitize-with", "tests/nbval_sanitize.cfg"]
    paths = ["--rootdir", str(tmp_path), "-c", os.devnull, f"--junitxml={report}"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-vv"]
    done = subprocess.run(
        [*command, *options, "--color=no", *paths, str(book.path.parent)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert report.exists(), done.stdout + done.stderr
    failed: dict[str, list[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("classname", "").split(".")[-2]
        messages = failed.setdefault(name, [])
        messages += [f.text or "" for f in case if f.tag in ("failure", "error")]
    return failed


def test_nbval_compares_verdicts_and_masks_measurements(outcomes):
    assert sorted(outcomes) == [
        "error",
        "noise",
        "removed",
        "same",
        "unsaid",
        "value",
        "verdict",
    ]
    assert outcomes["same"] == []
    assert outcomes["noise"] == []
    (verdict,) = outcomes["verdict"]
    assert "≠ differs" in verdict
    assert "✓ illustrated" in verdict
    (value,) = outcomes["value"]
    assert "≠ differs" in value
    (removed,) = outcomes["removed"]
    assert "Missing output fields" in removed
    (unsaid,) = outcomes["unsaid"]
    assert "Unexpected output fields" in unsaid
    (error,) = outcomes["error"]
    assert "no such claim" in error
