"""Run notebooks: checked before, renamed when done, recorded when in place.

A notebook is executed by papermill in a kernel of its own, in its own folder, with one
thread.  What it writes appears under its final name only when every cell has run.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from econlib.book.parameters import Parameter, ParameterError, check, parse

__all__ = [
    "KERNEL_ENVIRONMENT",
    "RunError",
    "declared",
    "find_notebook",
    "notebooks",
    "read",
    "refresh",
    "run",
    "strip",
]

ROOT = Path(__file__).resolve().parents[2]
RECORDS = Path("data") / "recorded" / "runs.json"

#: One thread, and memory kept rather than given back to the system at each step.
KERNEL_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "67108864",
}


class RunError(RuntimeError):
    """A notebook that cannot be read, run or written."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    path : Path
        The executed notebook.
    seconds : float
        Wall-clock time of all cells.
    """

    path: Path
    seconds: float


def notebooks(root: Path = ROOT) -> list[Path]:
    """Notebooks of all chapters, in reading order within a chapter."""
    found = sorted((root / "chapters").glob("*/[0-9]*.ipynb"))
    return [p for p in found if p.name.count(".") == 1]


def find_notebook(name: str, root: Path = ROOT) -> Path:
    """Resolve a path, or ``<paper>/<stem>``, to a notebook.

    Raises
    ------
    RunError
        There is none.
    """
    for path in (
        Path(name),
        root / name,
        root / "chapters" / name,
        root / "chapters" / f"{name}.ipynb",
    ):
        if path.suffix == ".ipynb" and path.is_file():
            return path.resolve()
    raise RunError(f"{name}: no such notebook. `econlib list` shows them")


def read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook.

    Raises
    ------
    RunError
        The file is not a notebook of format 4.
    """
    try:
        return nbformat.read(path, as_version=4)
    except Exception as err:  # nbformat raises many kinds for a damaged file
        reason = str(err).splitlines()[0] if str(err) else type(err).__name__
        raise RunError(f"{path.name}: not a readable notebook: {reason}") from None


def declared(path: Path) -> dict[str, Parameter]:
    """Parameters that a notebook declares.

    Raises
    ------
    RunError
        It cannot be read or has no cell tagged ``parameters``.
    ParameterError
        That cell does not follow the form.
    """
    for cell in read(path).cells:
        if "parameters" in cell.metadata.get("tags", []):
            return parse(cell.source, where=path.name)
    raise RunError(f"{path.name}: has no cell tagged 'parameters'")


def run(
    path: Path, out: Path, values: Mapping[str, Any] | None = None, *, bar: bool = False
) -> Run:
    """Execute a notebook with some parameters set.

    Parameters
    ----------
    path, out : Path
        The notebook, and where its executed copy goes (``.ipynb``).
    values : Mapping, optional
        Parameters that differ from their defaults.
    bar : bool
        Whether to show a progress bar of cells.

    Returns
    -------
    Run
        Path and seconds.

    Raises
    ------
    ParameterError, RunError
        Before a kernel starts: bad parameters, an unusable notebook or output folder.
        After: a cell failed; the partial notebook lies beside ``out`` under
        ``<name>.failed.ipynb``.
    """
    values = dict(values or {})
    check(declared(path), values)
    _check_output(path, out)
    partial = out.with_name(f"{out.stem}.{uuid.uuid4().hex[:8]}.partial.ipynb")
    failed = out.with_name(f"{out.stem}.failed.ipynb")
    try:
        with _environment():
            papermill.execute_notebook(
                path,
                partial,
                values,
                cwd=path.parent,
                progress_bar={"leave": False} if bar else False,
                log_output=False,
                extra_arguments=["--log-level=CRITICAL"],  # errors come as outputs
            )
        seconds = read(partial).metadata.papermill.duration
        os.replace(partial, out)
    except PapermillExecutionError as err:
        os.replace(partial, failed)
        cell = (err.source or "").strip().splitlines() or [""]
        raise RunError(
            f"{path.name}: cell [{err.exec_count}] failed, which begins "
            f"`{cell[0][:70]}`: {err.ename}: {err.evalue}\n"
            f"The notebook up to there: {failed}"
        ) from None
    except DeadKernelError:
        where = _running_cell(partial)
        os.replace(partial, failed)
        raise RunError(
            f"{path.name}: {where}: its kernel died, perhaps for want of memory\n"
            f"The notebook up to there: {failed}"
        ) from None
    finally:
        partial.unlink(missing_ok=True)
    failed.unlink(missing_ok=True)
    return Run(out, round(float(seconds), 2))


def refresh(
    path: Path, root: Path = ROOT, *, into: Path | None = None, bar: bool = False
) -> Run:
    """Run a notebook at its defaults and keep the outputs as a book's own.

    Volatile metadata is stripped; seconds, machine and versions go to
    ``data/recorded/runs.json``.

    Parameters
    ----------
    path, root : Path
        The notebook, and the repository that it is in.
    into : Path, optional
        Another folder, laid out as the repository, that takes notebook and record; by
        default the outputs are put into the notebook itself.
    bar : bool
        Whether to show a progress bar of cells.

    Raises
    ------
    ParameterError, RunError
        As :func:`run`; what was there before is then as it was.
    """
    home = root if into is None else into
    inside = path.is_relative_to(root)
    goal = home / path.relative_to(root) if inside else path
    fresh = goal.with_name(f"{path.stem}.{uuid.uuid4().hex[:8]}.partial.ipynb")
    kept = goal.with_name(f"{path.stem}.failed.ipynb")
    try:
        done = run(path, fresh, bar=bar)
        notebook = read(fresh)
        stamp = notebook.metadata.papermill.start_time
        slowest = max(
            c.metadata.papermill.duration or 0.0
            for c in notebook.cells
            if "papermill" in c.metadata and c.cell_type == "code"
        )
        nbformat.write(strip(notebook), fresh)
        os.replace(fresh, goal)
        kept.unlink(missing_ok=True)
    except RunError as err:
        failed = fresh.with_name(f"{fresh.stem}.failed.ipynb")
        if failed.exists():
            os.replace(failed, kept)
        raise RunError(str(err).replace(str(failed), str(kept))) from None
    finally:
        fresh.unlink(missing_ok=True)
    record = {
        "seconds": done.seconds,
        "slowest_cell_seconds": round(float(slowest), 2),
        "status": "completed",
        "date": str(stamp)[:10],
        **_machine(),
    }
    if inside:  # a notebook outside the book has no record
        _keep_record(path.relative_to(root).as_posix(), record, home)
    return Run(goal, done.seconds)


def strip(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what changes from run to run without meaning.

    Papermill's metadata and injected cell, timing, widgets, standard error; execution
    counts start at one.
    """
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    count = 0
    for cell in notebook.cells:
        for key in ("papermill", "execution", "collapsed", "scrolled", "jupyter"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", [True]):
            cell.metadata.pop("tags")
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        cell.outputs = [
            output
            for output in cell.outputs
            if not (output.output_type == "stream" and output.name == "stderr")
        ]
        for output in cell.outputs:
            output.pop("transient", None)
            if "execution_count" in output:
                output.execution_count = count
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": kernel, "language_info": {"name": "python"}}
    )
    return notebook


def _running_cell(partial: Path) -> str:
    """Name the last cell that had begun, by papermill's own record."""
    code = [cell for cell in read(partial).cells if cell.cell_type == "code"]
    begun = [c for c in code if c.metadata.get("papermill", {}).get("start_time")]
    if not begun:
        return "no cell had begun"
    first = begun[-1].source.partition("\n")[0][:70]
    return f"cell [{len(begun)}] failed, which begins `{first}`"


def _check_output(path: Path, out: Path) -> None:
    if out.suffix != ".ipynb":
        raise RunError(f"output = {out}: expected a name that ends in .ipynb")
    if out.resolve() == path.resolve():
        raise RunError(f"output = {out}: is the notebook itself. Use --in-place")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        probe = out.with_name(f".{uuid.uuid4().hex}")
        probe.touch()
        probe.unlink()
    except OSError as err:
        raise RunError(
            f"output = {out}: its folder is not writable: {err.strerror}"
        ) from None


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Set the environment that kernels inherit, for one run."""
    before = {name: os.environ.get(name) for name in KERNEL_ENVIRONMENT}
    os.environ.update(KERNEL_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _machine() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    names = ("econlib", "numpy", "torch")
    return {
        "machine": f"{model}, {os.cpu_count()} cores, one thread used",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in names},
    }


def _keep_record(name: str, record: dict[str, Any], root: Path) -> None:
    """Put one record into runs.json; a lock keeps parallel runs from losing theirs."""
    path = root / RECORDS
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        records = json.loads(path.read_text()) if path.exists() else {}
        records[name] = record
        fresh = path.with_suffix(f".{uuid.uuid4().hex[:8]}")
        fresh.write_text(json.dumps(dict(sorted(records.items())), indent=1) + "\n")
        os.replace(fresh, path)
    finally:
        os.close(folder)


# Names that callers catch together.
Failure = (RunError, ParameterError)
