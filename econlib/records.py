r"""Long runs on record: JSON under ``data/recorded``, with what made them.

A record holds its parameters, its numbers for each seed, its seconds, and the machine,
versions, commit and command that made it; a command in the repository makes it again.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from jaxtyping import Float

__all__ = ["Shelf", "digits", "load", "provenance", "write"]

_ROOT = Path(__file__).resolve().parents[1]


def provenance(*packages: str) -> dict:
    """Machine, versions of Python and of some packages, and commit of a run.

    Parameters
    ----------
    *packages : str
        Names of installed distributions.

    Examples
    --------
    >>> sorted(provenance("numpy"))
    ['commit', 'machine', 'python', 'versions']
    """
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread used",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "commit": commit.stdout.strip(),
    }


def digits(values: Float[np.ndarray, " n"], significant: int = 6) -> list[float | None]:
    """Numbers to some significant digits, None where there is no number.

    Examples
    --------
    >>> digits(np.array([0.123456789, np.nan]))
    [0.123457, None]
    """
    return [float(f"{v:.{significant}g}") if np.isfinite(v) else None for v in values]


def write(where: str, kept: dict, row: str | None = None) -> None:
    """Write a record under a name of its own, and rename it when it is whole.

    Parameters
    ----------
    where : str
        File below the repository, such as ``data/recorded/abcs/stacked.json``; its
        folder is made.
    kept : dict
        The record.
    row : str, optional
        First key of each run: every object that begins with it stands on a line of its
        own.  Without one the record is indented.
    """
    path = _ROOT / where
    path.parent.mkdir(parents=True, exist_ok=True)
    if row is None:
        text = json.dumps(kept, indent=1)
    else:
        text = json.dumps(kept, separators=(",", ":"))
        text = text.replace(f'{{"{row}"', f'\n {{"{row}"')
    fresh = path.with_suffix(".part")
    fresh.write_text(text + "\n")
    os.replace(fresh, path)


def load(where: str) -> dict:
    """The record in a file below the repository."""
    return json.loads((_ROOT / where).read_text())


@dataclass(frozen=True)
class Shelf:
    """Records of one kind, a file for each name.

    Attributes
    ----------
    path : str
        File of a record below the repository, with ``{}`` for its name.
    names : collection of str
        Those there are, in the order in which they are made.
    row : str
        First key of each run, as in :func:`write`.
    what : str
        What errors call a name.

    Examples
    --------
    >>> Shelf("data/recorded/abcs/{}.json", ("stacked",), "method").known("leduc")
    Traceback (most recent call last):
    ValueError: name = 'leduc': expected one of stacked
    """

    path: str
    names: Collection[str]
    row: str
    what: str = "name"

    def known(self, name: str) -> str:
        """The name; ValueError where there is no such record."""
        if name not in self.names:
            known = ", ".join(self.names)
            raise ValueError(f"{self.what} = {name!r}: expected one of {known}")
        return name

    def load(self, name: str) -> dict:
        """Read a record."""
        return load(self.path.format(self.known(name)))

    def save(self, name: str, kept: dict) -> None:
        """Write a record."""
        write(self.path.format(self.known(name)), kept, row=self.row)

    def record(self, run: Callable[[str], dict], names: Iterable[str] = ()) -> None:
        """Run and save some records, all where none is named."""
        for name in [self.known(name) for name in names] or list(self.names):
            self.save(name, run(name))
