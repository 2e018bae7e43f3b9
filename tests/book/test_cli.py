"""The command line: what it prints, how it fails, what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from click.testing import CliRunner
from demo_notebook import write
from nbformat.v4 import new_output

from econlib.book import claims, cli, runs, scoreboard
from econlib.book.cli import main


@pytest.fixture
def demo(tmp_path):
    return write(tmp_path / "demo" / "01_demo.ipynb")


def _call(*words: object):
    return CliRunner().invoke(main, [str(w) for w in words])


def test_list_and_params_show_what_there_is(demo):
    listed = _call("list")
    assert listed.exit_code == 0
    assert "market_makers/01_one_good" in listed.output
    assert "One good: the spread" in listed.output
    shown = _call("params", demo)
    assert "lam" in shown.output
    assert "[0, 1)" in shown.output
    assert "a weight" in shown.output


def test_run_takes_values_from_file_and_command_line(demo, tmp_path):
    (tmp_path / "p.yml").write_text("lam: 0.25\nseed: 9\n")
    out = tmp_path / "a.ipynb"
    done = _call(
        "run",
        demo,
        "-f",
        tmp_path / "p.yml",
        "-p",
        "seed",
        4,
        "-p",
        "pair",
        "[0.3, 0.4]",
        "-p",
        "name",
        "beta",
        "-p",
        "pause",
        "1e-3",
        "-o",
        out,
    )
    assert done.exit_code == 0, done.output
    source = nbformat.read(out, 4).cells[2].source
    for line in ("seed = 4", "lam = 0.25", 'name = "beta"', "pair = [0.3, 0.4]"):
        assert line in source
    assert "pause = 0.001" in source


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-p", "lamm", "0.5"], "Did you mean lam?"),
        (["-p", "lam", "nan"], "lam = nan: expected a number in [0, 1)"),
        (["-p", "lam", ".nan"], "lam = nan: expected a number in [0, 1)"),
        (["-p", "seed", "1.5"], "seed = 1.5: expected an integer in [0, 1000]"),
        (["-p", "seed", "three"], "seed = 'three': expected an integer"),
        (["-p", "pair", "[0.1"], "pair = '[0.1': expected a list"),
        (["--in-place", "-p", "seed", "1"], "runs at the defaults"),
    ],
)
def test_bad_parameters_exit_1_with_one_line(demo, tmp_path, words, message):
    failed = _call("run", demo, *words)
    assert failed.exit_code == 1
    assert message in failed.output
    assert failed.output.count("\n") == 1
    assert [p.name for p in demo.parent.iterdir()] == ["01_demo.ipynb"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lam: [0.1", "not readable YAML"),
        ("- 1\n- 2\n", "expected lines `name: value`"),
        ("lam: 7\n", "lam = 7: expected a number"),
        (None, "cannot be read"),
    ],
)
def test_bad_parameter_files_are_one_clear_error(demo, tmp_path, text, message):
    path = tmp_path / "p.yml"
    if text is not None:
        path.write_text(text)
    failed = _call("run", demo, "-f", path, "-o", tmp_path / "a.ipynb")
    assert failed.exit_code == 1
    assert message in failed.output
    assert not (tmp_path / "a.ipynb").exists()


def test_unknown_notebook_and_command_are_errors(tmp_path):
    assert _call("run", "market_makers/77_none").exit_code == 1
    assert _call("rune", "x").exit_code == 2


def test_interrupt_exits_130_and_leaves_nothing(demo, tmp_path, monkeypatch):
    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs.papermill, "execute_notebook", stop)
    stopped = _call("run", demo, "-o", tmp_path / "a.ipynb")
    assert stopped.exit_code == 130
    assert sorted(p.name for p in tmp_path.iterdir()) == ["demo"]


def test_ctrl_c_at_a_terminal_leaves_nothing_half_written(demo, tmp_path):
    out, begun = tmp_path / "a.ipynb", tmp_path / "begun"
    source = f"open({str(begun)!r}, 'w').close()\nimport time\ntime.sleep(60)"
    write(demo, work=source)
    econlib = [sys.executable, "-c", "from econlib.book.cli import main; main()"]
    process = subprocess.Popen(
        [*econlib, "run", str(demo), "-o", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for _ in range(600):
        if begun.exists():
            break
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the whole group
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said == "stopped: only what had finished is kept\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["begun", "demo"]
    assert [p.name for p in demo.parent.iterdir()] == ["01_demo.ipynb"]


def test_in_place_refreshes_the_notebook(demo):
    assert _call("run", demo, "--in-place").exit_code == 0
    outputs = nbformat.read(demo, 4).cells[-1].outputs
    assert outputs[0].data["text/plain"] == "recorded: twice = 0, lam = 0.5"


def test_scoreboard_shows_each_claim_once():
    shown = _call("scoreboard")
    assert shown.exit_code == 0
    for row in scoreboard.collect():
        assert f"  {row.claim} " in shown.output


def _checked(path, verdict: str) -> None:
    """A notebook whose output holds one check."""
    write(path, work="1")
    notebook = nbformat.read(path, 4)
    record = {
        "id": "demo/half",
        "paper": "demo",
        "kind": "text",
        "verdict": verdict,
        "measured": 0.5,
        "expected": "0.5",
    }
    output = new_output("display_data", data={claims.MIME: record, "text/plain": ""})
    notebook.cells[-1].outputs = [output]
    nbformat.write(notebook, path)


@pytest.mark.parametrize(
    ("fresh", "exit_code", "said"),
    [
        ("illustrated", 0, "1 notebooks"),
        ("differs", 1, "changed demo/half: illustrated -> differs"),
        (None, 1, "FAILED 01_demo.ipynb: cell 2 failed"),
    ],
)
def test_reproduce_tells_whether_a_verdict_changed(
    tmp_path, monkeypatch, fresh, exit_code, said
):
    book, out = tmp_path / "book", tmp_path / "out"
    path = book / "chapters" / "demo" / "01_demo.ipynb"
    _checked(path, "illustrated")
    (book / "data" / "claims").mkdir(parents=True)
    (book / "data" / "claims" / "demo.yml").write_text(
        "paper: demo\nclaims:\n  - id: half\n    kind: text\n"
        "    statement: One half is one half.\n    source: derived\n"
        "    expect: {value: 0.5, atol: 0.01}\n"
        "    notebook: 01_demo\n    on_pass: illustrated\n"
    )

    def execute(tasks, **options):
        for task in tasks:
            if fresh is None:
                yield task, "01_demo.ipynb: cell 2 failed, which begins `1`"
            else:
                _checked(task.out / task.path.relative_to(book), fresh)
                yield task, None

    stale = out / "chapters" / "demo" / "00_old.ipynb"
    stale.parent.mkdir(parents=True)
    stale.write_text("of an earlier run")
    (out / ".reproduce").touch()
    monkeypatch.setattr(cli, "ROOT", book)
    monkeypatch.setattr(scoreboard, "ROOT", book)
    monkeypatch.setattr(cli, "notebooks", lambda: [path])
    monkeypatch.setattr(cli.sweeps, "execute", execute)
    done = _call("reproduce", "--out", out)
    assert done.exit_code == exit_code, done.output
    assert said in done.output
    assert not stale.exists()
    assert str(out) in done.output


def test_reproduce_refuses_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    failed = _call("reproduce", "--out", tmp_path / "file" / "x")
    assert failed.exit_code == 1
    assert "is not writable" in failed.output


def test_reproduce_touches_no_folder_that_is_not_its_own(tmp_path):
    own = tmp_path / "chapters" / "mine.txt"
    own.parent.mkdir()
    own.write_text("precious")
    failed = _call("reproduce", "--out", tmp_path)
    assert failed.exit_code == 1
    assert "which no run of the book made" in failed.output
    assert own.read_text() == "precious"
