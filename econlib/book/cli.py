"""The command line, ``econlib``: list, params, run, sweep, scoreboard, reproduce."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
import yaml

from econlib.book import scoreboard as board
from econlib.book import sweeps
from econlib.book.parameters import ParameterError
from econlib.book.runs import (
    RECORDS,
    ROOT,
    RunError,
    declared,
    find_notebook,
    notebooks,
    read,
    refresh,
    run,
)
from econlib.book.schema import ClaimsError

__all__ = ["main"]

_PARAMETER = click.option(
    "-p",
    "--parameter",
    "given",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A parameter of the notebook; repeat for more.",
)


def _clear_errors(command: Callable) -> Callable:
    """Show what users can mend as one message, and exit 1; Ctrl-C exits 130."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (RunError, ParameterError, ClaimsError) as err:
            raise click.ClickException(str(err)) from None
        except (KeyboardInterrupt, sweeps.Interrupted) as err:
            click.echo(str(err) or "stopped: only what had finished is kept", err=True)
            sys.exit(130)

    return wrapped


def _table(rows: list[tuple[str, ...]]) -> str:
    """Columns of text, the last one ragged."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


_HELP = """Run the notebooks of the book, and see where its claims stand.

NOTEBOOK is a path, or a chapter and a name such as market_makers/01_one_good.
"""
#: The command group; its commands are below.
main = click.version_option(package_name="econlib")(
    click.Group(
        "econlib", help=_HELP, context_settings={"help_option_names": ["-h", "--help"]}
    )
)


@main.command("list")
@_clear_errors
def list_notebooks() -> None:
    """Show all notebooks, with the seconds of their last run."""
    path = ROOT / RECORDS
    records = json.loads(path.read_text()) if path.exists() else {}
    rows = [("notebook", "seconds", "title")]
    for found in notebooks():
        record = records.get(found.relative_to(ROOT).as_posix(), {})
        first = next(iter(read(found).cells), {"source": ""})
        heading = first["source"].partition("\n")[0].lstrip("# ")
        name = found.relative_to(ROOT / "chapters").with_suffix("").as_posix()
        rows.append((name, f"{record['seconds']:.0f}" if record else "-", heading))
    click.echo(_table(rows))


@main.command()
@click.argument("notebook")
@_clear_errors
def params(notebook: str) -> None:
    """Show a notebook's parameters: type, default, range, meaning."""
    rows = [("name", "type", "default", "range", "meaning")]
    for p in declared(find_notebook(notebook)).values():
        rows.append((p.name, p.kind, str(p.default), p.range or "-", p.meaning))
    click.echo(_table(rows))


@main.command("run")
@click.argument("names", metavar="NOTEBOOK...", nargs=-1, required=True)
@_PARAMETER
@click.option("-f", "--file", "file", type=Path, help="YAML file of parameters.")
@click.option("-o", "--out", type=Path, help="Executed notebook, a name in .ipynb.")
@click.option("--in-place", is_flag=True, help="Refresh the notebook's own outputs.")
@_clear_errors
def run_notebook(
    names: tuple[str, ...],
    given: tuple[tuple[str, str], ...],
    file: Path | None,
    out: Path | None,
    in_place: bool,
) -> None:
    """Run a notebook; parameters are checked before a kernel starts."""
    paths = [find_notebook(name) for name in names]
    bar = sys.stderr.isatty()
    if in_place:
        if given or file or out:
            raise RunError("--in-place: runs at the defaults; expected no -p, -f or -o")
        for path in paths:
            declared(path)
        for path in paths:
            done = refresh(path, bar=bar)
            click.echo(f"{done.path.name}: refreshed in {done.seconds:.0f} s")
        return
    if len(paths) > 1:
        raise RunError(f"{len(paths)} notebooks: expected one without --in-place")
    path = paths[0]
    known, values = declared(path), _read_file(file)
    for name, value in values.items():  # YAML reads 1e-4 as text
        if name in known and isinstance(value, str):
            values[name] = sweeps.parse_value(known[name], value)
    for name, text in given:
        values[name] = sweeps.parse_value(known[name], text) if name in known else text
    target = (out or Path(f"{path.stem}.out.ipynb")).absolute()
    done = run(path, target, values, bar=bar)
    click.echo(f"{out or target.name}: done in {done.seconds:.0f} s")
    for record in board.checks(done.path):
        click.echo(f"  {record['verdict']:<24}  {record['id']}")


def _read_file(path: Path | None) -> dict[str, Any]:
    """Parameters from a YAML file."""
    if path is None:
        return {}
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise RunError(f"{path}: cannot be read: {err.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        reason = " ".join(str(err).split())
        raise RunError(f"{path}: not readable YAML: {reason}") from None
    if not isinstance(values, dict) or not all(isinstance(k, str) for k in values):
        raise RunError(f"{path}: expected lines `name: value`")
    return values


@main.command("sweep")
@click.argument("notebook")
@_PARAMETER
@click.option("--out", type=Path, required=True, help="Folder for points and tables.")
@click.option("--jobs", type=int, default=2, show_default=True, help="Processes.")
@click.option("--scheduler", help="Address of a Dask scheduler, tcp://host:port.")
@_clear_errors
def sweep_notebook(
    notebook: str,
    given: tuple[tuple[str, str], ...],
    out: Path,
    jobs: int,
    scheduler: str | None,
) -> None:
    """Run a notebook over a grid: -p seed 0:10 -p lam 0.1,0.5.

    Finished points are kept: the same command resumes. Tables: OUT/table.csv,
    OUT/table.parquet, OUT/verdicts.csv.
    """
    outcome = sweeps.sweep(
        find_notebook(notebook),
        given,
        out.absolute(),
        jobs=jobs,
        scheduler=scheduler,
        bar=sys.stderr.isatty(),
        say=lambda line: click.echo(line, err=True),
    )
    click.echo(
        f"{outcome.n_run} points run, {outcome.n_kept} kept, "
        f"{len(outcome.failed)} failed. Table: {outcome.table}"
    )
    sys.exit(1 if outcome.failed else 0)


@main.command("scoreboard")
@click.option("--root", type=Path, default=ROOT, help="Folder of executed notebooks.")
@click.option("--write", is_flag=True, help="Put the totals into README.md.")
@_clear_errors
def scoreboard_command(root: Path, write: bool) -> None:
    """Show every claim beside its verdict, from executed notebooks."""
    if write:
        changed = board.write_readme(root)
        click.echo(
            f"README.md: {'totals written' if changed else 'totals are current'}"
        )
        return
    click.echo(board.render_terminal(board.collect(root)))


@main.command()
@click.option("--jobs", type=int, default=2, show_default=True, help="Processes.")
@click.option(
    "--out",
    type=Path,
    default=Path("_build/reproduce"),
    show_default=True,
    help="Folder for the executed notebooks.",
)
@_clear_errors
def reproduce(jobs: int, out: Path) -> None:
    """Run the whole book; exit 1 if a notebook failed or a verdict changed."""
    out = out.absolute()
    _clear(out)
    start, paths = time.perf_counter(), notebooks()
    failed = 0
    tasks = [sweeps.Task(path, out) for path in paths]
    for task, reason in sweeps.execute(tasks, jobs=jobs, bar=sys.stderr.isatty()):
        name = task.path.relative_to(ROOT / "chapters").as_posix()
        if reason is None:
            click.echo(f"ran {name}")
        else:
            failed += 1
            click.echo(f"FAILED {reason}", err=True)
    changed = board.compare(board.collect(ROOT), board.collect(out))
    for line in changed:
        click.echo(f"changed {line}", err=True)
    click.echo(
        f"{len(paths)} notebooks in {time.perf_counter() - start:.0f} s, {failed} "
        f"failed, {len(changed)} verdicts changed. Executed notebooks: {out}"
    )
    sys.exit(1 if failed or changed else 0)


def _clear(out: Path) -> None:
    """Make the folder of a run of the book, and drop what an earlier run left there."""
    mark = out / ".reproduce"
    old = [out / name for name in ("chapters", "data") if (out / name).exists()]
    if old and not (mark.exists() or out.is_relative_to(ROOT / "_build")):
        raise RunError(
            f"out = {out}: holds {old[0].name}/, which no run of the book made. "
            "Try a new folder"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        mark.touch()
        for folder in old:
            shutil.rmtree(folder)
    except OSError as err:
        raise RunError(f"out = {out}: is not writable: {err.strerror}") from None
