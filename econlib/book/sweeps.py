"""Sweeps: one notebook at many parameters, or many notebooks, as tasks on Dask.

A point of a sweep is finished when its notebook lies under its final name, and is not
run again; the name holds a digest of parameters, of the notebook's code and of what the
notebook imports, so that a change of any of them is another point.  What a worker held
when it died is run again by another.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import re
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from tqdm import tqdm

from econlib.book import claims, results
from econlib.book.parameters import Parameter, ParameterError, check
from econlib.book.runs import RunError, declared, read, refresh, run

__all__ = [
    "MAX_POINTS",
    "Failed",
    "Interrupted",
    "Outcome",
    "Point",
    "Task",
    "execute",
    "gather",
    "grid",
    "parse_value",
    "points",
    "sweep",
]

_PACKAGE = Path(__file__).resolve().parents[1]
_RANGE = re.compile(r"(-?[\d.]+):(-?[\d.]+)(?::(-?[\d.]+))?")
_ATTEMPTS = 2  # of a task whose workers keep dying

#: The largest grid.
MAX_POINTS = 100_000


@dataclass(frozen=True)
class Task:
    """One notebook to run.

    Attributes
    ----------
    path, out : Path
        The notebook, and where its executed copy goes; for a task of the whole book
        the folder that takes notebook and record.
    values : Mapping, optional
        Parameters; None runs it at its defaults, as a page of a book.
    """

    path: Path
    out: Path
    values: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Point:
    """One point of a sweep: its parameters and its executed notebook."""

    values: dict[str, Any]
    path: Path


@dataclass(frozen=True)
class Failed:
    """A task that did not finish, and why."""

    task: Task
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What a sweep did.

    Attributes
    ----------
    n_run, n_kept : int
        Points run now, and found finished.
    failed : list of Failed
        Points whose notebook failed.
    table : Path
        The table as CSV; the same as Parquet lies beside it.
    """

    n_run: int
    n_kept: int
    failed: list[Failed]
    table: Path


class Interrupted(RuntimeError):
    """Stopped by hand; nothing finished is lost."""


def parse_value(parameter: Parameter, text: str) -> Any:
    """Read one value from text: YAML, but for a ``str``, which is the text itself."""
    if parameter.kind == "str":
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str):  # YAML reads 1e-4 as text
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _parse_values(parameter: Parameter, text: str) -> list[Any]:
    """Values of ``0:10``, ``0:1:0.25``, ``a,b``, or a list of values."""
    span = _RANGE.fullmatch(text.strip())
    if span and parameter.kind in ("int", "float"):
        number = int if parameter.kind == "int" else float
        try:
            low, high, step = (number(x or 1) for x in span.groups())
        except ValueError:
            return [text]
        # Rounded, so that 0.1:0.4:0.1 ends at 0.3 and holds 0.3 itself.
        count = math.ceil(round((high - low) / step, 9)) if step > 0 else 0
        if not 1 <= count <= MAX_POINTS:
            raise ParameterError(
                f"{parameter.name} = {text}: expected low:high or low:high:step with "
                f"low < high, a positive step and at most {MAX_POINTS} values"
            )
        return [round(low + k * step, 12) for k in range(count)]
    if parameter.kind != "list":
        return [parse_value(parameter, part.strip()) for part in text.split(",")]
    value = parse_value(parameter, text)
    if parameter.fault(value) is not None and isinstance(value, list) and value:
        if all(parameter.fault(part) is None for part in value):
            return value
    return [value]


def grid(
    known: Mapping[str, Parameter], given: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """All combinations of the values given, every one checked.

    Parameters
    ----------
    known : Mapping
        What the notebook declares.
    given : sequence of (str, str)
        Names and texts of values; a name that comes twice adds values.

    Returns
    -------
    list of dict
        Parameters of each point, in the order given, the last name fastest.

    Raises
    ------
    ParameterError
        Unknown names, and values of wrong type or out of range, one line each.
    """
    axes: dict[str, list[Any]] = {}
    for name, text in given:
        if name in known:
            axes.setdefault(name, []).extend(_parse_values(known[name], text))
        else:
            axes.setdefault(name, []).append(text)
    faults = []
    for name, values in axes.items():
        for value in values:
            try:
                check(known, {name: value})
            except ParameterError as err:
                faults.append(str(err))
    if faults:
        raise ParameterError("\n".join(dict.fromkeys(faults)))
    count = math.prod(len(values) for values in axes.values())
    if count > MAX_POINTS:
        raise ParameterError(f"{count} points: expected at most {MAX_POINTS}")
    combinations = itertools.product(*axes.values())
    return [dict(zip(axes, values, strict=True)) for values in combinations]


def points(path: Path, values: list[dict[str, Any]], out: Path) -> list[Point]:
    """Name each point's notebook under ``out/points``; equal points once."""
    code = _code_digest(path)
    found: dict[str, Point] = {}
    for row in values:
        key = hashlib.sha256(
            json.dumps([code, row], sort_keys=True).encode()
        ).hexdigest()[:10]
        words = re.sub(r"[^\w.=+-]+", "_", " ".join(f"{k}={v}" for k, v in row.items()))
        name = f"{words[:60].strip('_') or 'defaults'}-{key}.ipynb"
        found.setdefault(key, Point(row, out / "points" / name))
    return list(found.values())


def _code_digest(path: Path) -> str:
    """Digest of a notebook's code, of the package, and of the paper's claims."""
    digest = hashlib.sha256()
    for cell in read(path).cells:
        if cell.cell_type == "code":
            digest.update(cell.source.encode() + b"\0")
    for source in sorted(_PACKAGE.rglob("*.py")):
        digest.update(source.read_bytes())
    listed = _PACKAGE.parent / "data" / "claims" / f"{path.parent.name}.yml"
    if listed.exists():
        digest.update(listed.read_bytes())
    return digest.hexdigest()


def execute(
    tasks: Sequence[Task],
    *,
    jobs: int = 2,
    scheduler: str | None = None,
    bar: bool = False,
) -> Iterator[tuple[Task, str | None]]:
    """Run notebooks as tasks on Dask.

    Parameters
    ----------
    tasks : sequence of Task
        What to run.
    jobs : int
        Processes of the local cluster, one thread each, 1 or more.
    scheduler : str, optional
        Address of another Dask scheduler, whose workers see the same files.
    bar : bool
        Whether to show a progress bar.

    Yields
    ------
    (Task, str or None)
        Each task as it ends, with the reason where it failed.

    Raises
    ------
    RunError
        The scheduler cannot be reached.
    """
    import dask
    from distributed import Client, LocalCluster, as_completed
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    if jobs < 1:
        raise RunError(f"jobs = {jobs}: expected an integer, 1 or more")
    if not tasks:
        return
    quiet = {"distributed.worker.daemon": False, "logging.distributed": "critical"}
    with dask.config.set(quiet):
        cluster = None
        if scheduler is None:
            cluster = LocalCluster(
                n_workers=min(jobs, len(tasks)),
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address="127.0.0.1:0",  # any free port
                silence_logs="CRITICAL",
            )
        try:
            client = Client(cluster or scheduler, timeout=10)
        except (OSError, TimeoutError, ValueError) as err:
            raise RunError(
                f"scheduler = {scheduler}: cannot be reached: {err}"
            ) from None
        try:
            if cluster is not None:
                client.register_worker_callbacks(_ignore_interrupts)
            attempts = dict.fromkeys(range(len(tasks)), 1)

            def submit(number: int):
                name = f"{tasks[number].out.stem}-{uuid.uuid4().hex[:8]}"
                return client.submit(_run_task, tasks[number], key=name, pure=False)

            running = {submit(number): number for number in attempts}
            progress = tqdm(total=len(tasks), disable=not bar, unit="notebook")
            ended = as_completed(list(running))
            for future in ended:
                number = running[future]
                try:
                    reason = future.result()
                except KilledWorker:
                    if attempts[number] < _ATTEMPTS:
                        attempts[number] += 1
                        again = submit(number)
                        running[again] = number
                        ended.add(again)
                        continue
                    reason = f"{tasks[number].path.name}: its workers died"
                except FutureCancelledError:
                    raise RunError(
                        f"scheduler = {scheduler or 'local'}: the connection was "
                        "lost. Finished points are kept"
                    ) from None
                progress.update()
                yield tasks[number], reason
            progress.close()
        finally:
            client.close(timeout=5)
            if cluster is not None:
                cluster.close(timeout=10)


def _ignore_interrupts() -> None:
    """Leave Ctrl-C, which reaches a terminal's whole group, to the main process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run_task(task: Task) -> str | None:
    try:
        if task.values is None:
            refresh(task.path, into=task.out)
        else:
            run(task.path, task.out, task.values)
    except (RunError, ParameterError) as err:
        return str(err)
    except OSError as err:  # a full disk, a file that is not there
        return f"{task.path.name}: {err}"
    return None


def sweep(
    path: Path,
    given: Sequence[tuple[str, str]],
    out: Path,
    *,
    jobs: int = 2,
    scheduler: str | None = None,
    bar: bool = False,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Run a notebook at every combination of the values given, and gather a table.

    Parameters
    ----------
    path : Path
        The notebook.
    given : sequence of (str, str)
        Names and texts of values, as on the command line.
    out : Path
        Folder for ``points/``, ``table.csv``, ``table.parquet`` and ``verdicts.csv``.
    jobs, scheduler, bar
        As in :func:`execute`.
    say : callable
        Takes a line of news, such as a failed point.

    Returns
    -------
    Outcome
        Counts, failures, and where the table is.

    Raises
    ------
    ParameterError, RunError
        Before anything runs: bad values, an unusable notebook or folder.
    Interrupted
        Ctrl-C; finished points are kept.
    """
    chosen = points(path, grid(declared(path), given), out)
    _writable(out)
    todo = [point for point in chosen if not point.path.exists()]
    tasks = [Task(path, point.path, point.values) for point in todo]
    failed = []
    try:
        for task, reason in execute(tasks, jobs=jobs, scheduler=scheduler, bar=bar):
            if reason is not None:
                failed.append(Failed(task, reason))
                say(reason)
    except KeyboardInterrupt:
        done = sum(point.path.exists() for point in chosen)
        raise Interrupted(
            f"stopped: {done} of {len(chosen)} points are done. The same command goes "
            "on with the others"
        ) from None
    finally:
        if scheduler is None:  # workers that were stopped or killed leave these
            for point in todo:
                for rest in point.path.parent.glob(
                    f"{point.path.stem}.*.partial.ipynb"
                ):
                    rest.unlink(missing_ok=True)
    table = gather(chosen)
    _write(table, out / "table.csv", lambda t, p: t.to_csv(p, index=False))
    _write(table, out / "table.parquet", lambda t, p: t.to_parquet(p, index=False))
    _write(
        _verdicts(table), out / "verdicts.csv", lambda t, p: t.to_csv(p, index=False)
    )
    ran = len(todo) - len(failed)
    return Outcome(ran, len(chosen) - len(todo), failed, out / "table.csv")


def gather(chosen: Sequence[Point]) -> pd.DataFrame:
    """One row a finished point.

    Returns
    -------
    DataFrame
        The parameters swept; ``seconds``; named results as ``result/<name>``; for each
        claim ``claim/<claim>`` and ``measured/<claim>``, numbers as they are and
        mappings as JSON text.
    """
    rows = []
    for point in chosen:
        if not point.path.exists():
            continue
        notebook = read(point.path)
        plain = {
            k: json.dumps(v) if isinstance(v, list) else v
            for k, v in point.values.items()
        }
        row = plain | {"seconds": notebook.metadata.papermill.duration}
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                bundle = output.get("data", {})
                for name, value in bundle.get(results.MIME, {}).items():
                    row[f"result/{name}"] = value
                if claims.MIME in bundle:
                    record = bundle[claims.MIME]
                    measured = record["measured"]
                    if isinstance(measured, Mapping):
                        measured = json.dumps(measured)
                    row[f"claim/{record['id']}"] = record["verdict"]
                    row[f"measured/{record['id']}"] = measured
        rows.append(row)
    return pd.DataFrame(rows)


def _verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """How often each claim got each verdict."""
    counts = [
        {"claim": column.partition("/")[2], "verdict": verdict, "points": int(count)}
        for column in table.columns
        if column.startswith("claim/")
        for verdict, count in table[column].value_counts().items()
    ]
    return pd.DataFrame(counts, columns=["claim", "verdict", "points"])


def _writable(out: Path) -> None:
    try:
        (out / "points").mkdir(parents=True, exist_ok=True)
        probe = out / f".{uuid.uuid4().hex}"
        probe.touch()
        probe.unlink()
    except OSError as err:
        raise RunError(f"out = {out}: is not writable: {err.strerror}") from None


def _write(table: pd.DataFrame, path: Path, write: Callable) -> None:
    fresh = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    write(table, fresh)
    os.replace(fresh, path)
