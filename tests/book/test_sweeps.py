"""Sweeps: grids, tables, resuming, dead workers, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from demo_notebook import PARAMETERS, write

from econlib.book import sweeps
from econlib.book.cli import main
from econlib.book.parameters import ParameterError, parse
from econlib.book.runs import RunError
from econlib.book.sweeps import Task, execute, grid, points, sweep

DEMO = parse(PARAMETERS)


@pytest.fixture
def demo(tmp_path):
    return write(tmp_path / "01_demo.ipynb")


def _values(*given: tuple[str, str]) -> list[dict]:
    return grid(DEMO, given)


def test_grids_by_range_list_and_repetition():
    assert [v["seed"] for v in _values(("seed", "0:3"))] == [0, 1, 2]
    assert [v["seed"] for v in _values(("seed", "0:10:4"))] == [0, 4, 8]
    assert [v["lam"] for v in _values(("lam", "0.1:0.4:0.1"))] == [0.1, 0.2, 0.3]
    lams = [v["lam"] for v in _values(("lam", "0:1:0.25"))]
    assert lams == pytest.approx([0, 0.25, 0.5, 0.75])
    assert [v["name"] for v in _values(("name", "uniform, beta"))] == [
        "uniform",
        "beta",
    ]
    assert _values(("fail", "true"), ("fail", "false")) == [
        {"fail": True},
        {"fail": False},
    ]
    both = _values(("seed", "1,2"), ("lam", "0.1,0.2"))
    assert both[1] == {"seed": 1, "lam": 0.2}
    assert len(both) == 4


def test_a_list_is_one_value_and_a_list_of_lists_are_many():
    assert _values(("pair", "[0.3, 0.4]")) == [{"pair": [0.3, 0.4]}]
    pairs = _values(("pair", "[[0, 1], [1, 0]]"))
    assert [v["pair"] for v in pairs] == [[0, 1], [1, 0]]


def test_every_bad_value_of_a_grid_is_named_before_anything_runs():
    with pytest.raises(ParameterError) as caught:
        _values(("seed", "-1:2"), ("lam", "0.5,nan"), ("sed", "1"))
    text = str(caught.value)
    assert len(text.splitlines()) == 3
    for part in ("seed = -1", "lam = nan", "Did you mean seed?"):
        assert part in text
    with pytest.raises(ParameterError, match="at most 100000 values"):
        _values(("lam", "0:1:0.000000001"))
    with pytest.raises(ParameterError, match="1000000 points: expected at most"):
        _values(("seed", "0:1000"), ("lam", "0:1:0.001"))
    with pytest.raises(ParameterError, match="low < high"):
        _values(("seed", "5:2"))


def test_points_are_named_by_parameters_and_code(demo, tmp_path):
    first = points(demo, _values(("seed", "0:2")), tmp_path)
    assert len({p.path for p in first}) == 2
    assert first[1].path.name.startswith("seed=1-")
    assert points(demo, _values(("seed", "1,1")), tmp_path)[0].path == first[1].path
    write(demo, work="1 + 1")
    assert points(demo, _values(("seed", "0:2")), tmp_path)[0].path != first[0].path


def test_sweep_gathers_a_table_and_resumes_without_redoing(demo, tmp_path):
    out = tmp_path / "out"
    given = [("seed", "0:3"), ("fail", "true")]
    news: list[str] = []
    first = sweep(demo, given, out, jobs=2, say=news.append)
    assert (first.n_run, first.n_kept, len(first.failed)) == (2, 0, 1)
    assert "fails on purpose" in news[0]
    table = pd.read_csv(first.table)
    assert table["seed"].tolist() == [0, 2]
    assert table["result/twice"].tolist() == [0, 4]
    assert (table["seconds"] > 0).all()
    assert pd.read_parquet(out / "table.parquet").equals(table)
    assert (out / "verdicts.csv").read_text() == "claim,verdict,points\n"
    kept = [p for p in (out / "points").glob("*.ipynb") if "failed" not in p.name]
    assert len(kept) == 2
    stamps = {p: p.stat().st_mtime_ns for p in kept}
    again = sweep(demo, [("seed", "0,2,4"), ("fail", "true")], out, jobs=1)
    assert (again.n_run, again.n_kept, again.failed) == (1, 2, [])
    assert all(p.stat().st_mtime_ns == stamps[p] for p in kept)


def test_claims_become_columns_and_counts(tmp_path):
    path = write(
        tmp_path / "01_claim.ipynb",
        work="from econlib.book import claims, parameters\nparameters.validate()\n"
        "parts = {'utility at the belief': 0.0, 'largest fall': float(seed)}\n"
        'claims.check("market_makers/lem-uc", measured=parts)',
    )
    done = sweep(path, [("seed", "0,1")], tmp_path / "out", jobs=1)
    table = pd.read_csv(done.table)
    assert table["claim/market_makers/lem-uc"].tolist() == ["illustrated", "differs"]
    assert '"largest fall": 1.0' in table["measured/market_makers/lem-uc"][1]
    counts = pd.read_csv(tmp_path / "out" / "verdicts.csv")
    assert counts["points"].tolist() == [1, 1]


def test_what_a_killed_worker_held_is_run_by_another(demo, tmp_path):
    # the notebook kills the process that runs it, once
    flag = tmp_path / "killed"
    write(
        demo,
        work="import os, pathlib, signal\n"
        f"flag = pathlib.Path({str(flag)!r})\n"
        "if seed == 1 and not flag.exists():\n"
        "    flag.touch()\n"
        "    os.kill(os.getppid(), signal.SIGKILL)\n"
        "from econlib.book import results\nresults.record(seed=seed)",
    )
    done = sweep(demo, [("seed", "0:3")], tmp_path / "out", jobs=2)
    assert flag.exists()
    assert (done.n_run, done.failed) == (3, [])
    assert pd.read_csv(done.table)["result/seed"].tolist() == [0, 1, 2]


def test_interrupt_says_what_is_done_and_the_same_command_resumes(demo, tmp_path):
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-c",
        "from econlib.book.cli import main; main()",
        "sweep",
        str(demo),
        "-p",
        "seed",
        "0:6",
        "-p",
        "pause",
        "1.5",
        "--out",
        str(out),
        "--jobs",
        "1",
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    finished = lambda: sorted((out / "points").glob("*[0-9a-f].ipynb"))  # noqa: E731
    for _ in range(300):
        if any(".partial" not in p.name for p in finished()):
            break
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert " of 6 points are done. The same command goes on" in said
    before = [p for p in finished() if ".partial" not in p.name]
    assert 1 <= len(before) < 6
    done = sweep(demo, [("seed", "0:6"), ("pause", "1.5")], out, jobs=2)
    assert done.n_kept >= len(before)
    assert done.n_run + done.n_kept == 6
    assert not list((out / "points").glob("*.partial.ipynb"))


def test_unusable_folder_scheduler_and_jobs_are_clear_errors(demo, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is not writable"):
        sweep(demo, [("seed", "0")], tmp_path / "file" / "out")
    with pytest.raises(RunError, match="jobs = 0"):
        sweep(demo, [("seed", "0")], tmp_path / "out", jobs=0)
    with pytest.raises(
        RunError, match=r"scheduler = tcp://127.0.0.1:9: cannot be reached"
    ):
        sweep(demo, [("seed", "0")], tmp_path / "out", scheduler="tcp://127.0.0.1:9")
    failed = CliRunner().invoke(
        main, ["sweep", str(demo), "-p", "lam", "2", "--out", "x"]
    )
    assert failed.exit_code == 1
    assert "lam = 2: expected" in failed.output
    assert not Path("x").exists()


def test_nothing_to_do_starts_no_cluster(monkeypatch):
    monkeypatch.setattr(sweeps, "_run_task", lambda task: 1 / 0)
    assert list(execute([])) == []
    assert Task(Path("a"), Path("b")).values is None
