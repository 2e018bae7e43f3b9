"""Runs: checked before, renamed when done, never half-written."""

from __future__ import annotations

import json
import re

import nbformat
import papermill
import pytest
from demo_notebook import PARAMETERS, write

from econlib.book.parameters import ParameterError
from econlib.book.runs import RunError, declared, find_notebook, refresh, run, strip


@pytest.fixture
def demo(tmp_path):
    return write(tmp_path / "chapters" / "demo" / "01_demo.ipynb")


def _files(folder) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_run_writes_the_executed_notebook_and_nothing_else(demo, tmp_path):
    done = run(demo, tmp_path / "out" / "a.ipynb", {"seed": 3, "lam": 0.25})
    assert done.seconds > 0
    notebook = nbformat.read(done.path, 4)
    assert notebook.cells[-1].outputs[0].data["text/plain"] == (
        "recorded: twice = 6, lam = 0.25"
    )
    assert _files(tmp_path) == {"chapters/demo/01_demo.ipynb", "out/a.ipynb"}


def test_bad_parameters_fail_before_anything_is_written(demo, tmp_path, monkeypatch):
    monkeypatch.setattr(papermill, "execute_notebook", lambda *a, **k: 1 / 0)
    with pytest.raises(ParameterError, match="Did you mean seed"):
        run(demo, tmp_path / "a.ipynb", {"sed": 1, "lam": float("nan")})
    assert _files(tmp_path) == {"chapters/demo/01_demo.ipynb"}


def test_failed_cell_is_named_and_the_partial_notebook_kept(demo, tmp_path):
    out = tmp_path / "a.ipynb"
    with pytest.raises(RunError) as caught:
        run(demo, out, {"fail": True, "seed": 1})
    message = str(caught.value)
    assert "cell [3] failed, which begins `import time`" in message
    assert "RuntimeError: the third cell fails on purpose" in message
    assert _files(tmp_path) == {"chapters/demo/01_demo.ipynb", "a.failed.ipynb"}
    run(demo, out)  # a later success takes the failed one away
    assert _files(tmp_path) == {"chapters/demo/01_demo.ipynb", "a.ipynb"}


def test_kernel_that_dies_is_a_clear_error_with_its_cell(tmp_path):
    work = "import os\nos.kill(os.getpid(), 9)"
    path = write(tmp_path / "01_dead.ipynb", work=work)
    before = path.read_bytes()
    with pytest.raises(RunError, match=r"cell \[2\] failed.*`import os`.*kernel died"):
        refresh(path, tmp_path)
    assert path.read_bytes() == before
    assert _files(tmp_path) == {"01_dead.ipynb", "01_dead.failed.ipynb"}


def test_papermill_by_itself_meets_the_same_checks(demo, tmp_path):
    for values, message in (({"lam": 3}, "lam = 3"), ({"lamm": 0.1}, "Did you mean")):
        with pytest.raises(papermill.PapermillExecutionError, match=message):
            papermill.execute_notebook(
                demo, tmp_path / "b.ipynb", values, progress_bar=False, log_output=False
            )


def test_relations_between_parameters_are_checked_inside(demo, tmp_path):
    with pytest.raises(RunError, match=r"lam = 0.9: expected less than 1.5"):
        run(demo, tmp_path / "a.ipynb", {"lam": 0.9, "pair": [0.8, 0.1]})


def test_refresh_twice_leaves_the_same_bytes(demo, tmp_path):
    refresh(demo, tmp_path)
    first = demo.read_bytes()
    refresh(demo, tmp_path)
    assert demo.read_bytes() == first
    text = first.decode()
    assert "papermill" not in text
    assert str(tmp_path) not in text
    counts = re.findall(r'"execution_count": (\w+)', text)
    assert counts == ["1", "2"]
    (record,) = json.loads(
        (tmp_path / "data" / "recorded" / "runs.json").read_text()
    ).values()
    assert record["status"] == "completed"
    assert {"seconds", "machine", "python", "versions", "date"} <= set(record)


def test_refresh_into_another_folder_leaves_the_book_as_it_was(demo, tmp_path):
    before = demo.read_bytes()
    fresh = tmp_path / "fresh"
    done = refresh(demo, tmp_path, into=fresh)
    assert done.path == fresh / "chapters" / "demo" / "01_demo.ipynb"
    assert demo.read_bytes() == before
    assert (fresh / "data" / "recorded" / "runs.json").exists()
    assert not (tmp_path / "data").exists()


def test_refresh_that_fails_leaves_the_notebook_as_it_was(tmp_path):
    path = write(tmp_path / "01_bad.ipynb", work="1 / 0")
    before = path.read_bytes()
    with pytest.raises(RunError, match="ZeroDivisionError") as caught:
        refresh(path, tmp_path)
    assert path.read_bytes() == before
    assert _files(tmp_path) == {"01_bad.ipynb", "01_bad.failed.ipynb"}
    assert "01_bad.failed.ipynb" in str(caught.value)


def test_strip_drops_what_changes_from_run_to_run():
    cell = nbformat.v4.new_code_cell("1")
    cell.metadata["execution"] = {"iopub.status.busy": "2020"}
    cell.execution_count = 17
    cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text="50 %")]
    injected = nbformat.v4.new_code_cell("# Parameters\nseed = 1")
    injected.metadata["tags"] = ["injected-parameters"]
    notebook = strip(nbformat.v4.new_notebook(cells=[injected, cell]))
    assert len(notebook.cells) == 1
    assert notebook.cells[0].execution_count == 1
    assert notebook.cells[0].outputs == []
    assert "execution" not in notebook.cells[0].metadata


@pytest.mark.parametrize("text", ["", "{", '{"cells": [', '{"nbformat": 4}'])
def test_truncated_notebook_is_one_clear_error(tmp_path, text):
    path = tmp_path / "01_cut.ipynb"
    path.write_text(text)
    with pytest.raises(RunError, match=r"01_cut.ipynb: not a readable notebook"):
        declared(path)


def test_notebook_without_parameters_cell_is_one_clear_error(tmp_path):
    path = write(tmp_path / "01_none.ipynb", parameters=None)
    with pytest.raises(RunError, match="has no cell tagged 'parameters'"):
        run(path, tmp_path / "a.ipynb")


def test_parameters_cell_out_of_form_names_notebook_and_parameter(tmp_path):
    bad = PARAMETERS.replace("[0, 1000]", "any")
    path = write(tmp_path / "01_form.ipynb", parameters=bad)
    with pytest.raises(ParameterError, match=r"01_form.ipynb.*seed: no range"):
        declared(path)


def test_unusable_outputs_are_refused_before_a_kernel_starts(demo, tmp_path):
    (tmp_path / "file").write_text("")
    for out, message in (
        (tmp_path / "file" / "a.ipynb", "folder is not writable"),
        (tmp_path / "a.txt", "ends in .ipynb"),
        (demo, "is the notebook itself. Use --in-place"),
    ):
        with pytest.raises(RunError, match=message):
            run(demo, out)


def test_notebooks_are_found_by_chapter_and_name():
    path = find_notebook("market_makers/01_one_good")
    assert path.name == "01_one_good.ipynb"
    with pytest.raises(RunError, match="no such notebook"):
        find_notebook("market_makers/99_none")
