"""Claims files: what ``data/claims/<paper>.yml`` may hold, and how it is read.

A file names its paper and lists the paper's claims; ``data/claims/README.md`` describes
each field.  Whatever is wrong with a file is one error that names file, id and field.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from econlib.book.expectations import check_expectation

__all__ = [
    "KINDS",
    "ROOT",
    "VERDICTS",
    "Claim",
    "ClaimsError",
    "anchor",
    "find",
    "load",
    "papers",
]

ROOT = Path(__file__).resolve().parents[2]
VERDICTS = (
    "reproduced",
    "reproduced at book scale",
    "recorded",
    "illustrated",
    "differs",
    "open",
)
KINDS = (
    "figure",
    "table",
    "theorem",
    "proposition",
    "lemma",
    "definition",
    "algorithm",
    "conjecture",
    "headline",
    "text",
    "extension",
)
_ON_PASS = VERDICTS[:4]
_REQUIRED = ("id", "kind", "statement", "source", "expect", "notebook", "on_pass")
_OPTIONAL = ("paper", "note")
_FILE = ("paper", "title", "claims")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*")


class ClaimsError(ValueError):
    """A claims file, a claim's id or a measurement that cannot be used."""


@dataclass(frozen=True)
class Claim:
    """One row of a claims file.

    Attributes
    ----------
    paper : str
        Folder name of the paper's chapter.
    id : str
        ASCII id, unique within the paper.
    kind : str
        One of ``KINDS``.
    statement, source : str
        What must be true, and how that is known.
    expect : Mapping
        An expectation, see :mod:`econlib.book.expectations`.
    notebook : str
        Stem of the notebook that checks it.
    on_pass : str
        Verdict where the expectation holds.
    value : str
        The paper's own value as text; "unknown" where it is.
    note : str
        Why a claim differs, or what to know about it.
    """

    paper: str
    id: str
    kind: str
    statement: str
    source: str
    expect: Mapping[str, Any]
    notebook: str
    on_pass: str
    value: str = "unknown"
    note: str = ""

    @property
    def key(self) -> str:
        """Id with the paper before it."""
        return f"{self.paper}/{self.id}"


def anchor(key: str) -> str:
    """Name of the HTML anchor of a check.

    Examples
    --------
    >>> anchor("data_markets/tab-bic/U-.50-2")
    'claim-data_markets-tab-bic-U-.50-2'
    """
    return "claim-" + key.replace("/", "-")


def papers(root: Path | None = None) -> list[str]:
    """Papers that have a claims file, in alphabetical order."""
    return sorted(p.stem for p in ((root or ROOT) / "data" / "claims").glob("*.yml"))


def load(paper: str, root: Path | None = None) -> dict[str, Claim]:
    """Read and validate the claims of one paper.

    Parameters
    ----------
    paper : str
        Folder name of the chapter.
    root : Path, optional
        Repository; by default the one that this package belongs to.

    Returns
    -------
    dict of str to Claim
        By id, in the file's order.

    Raises
    ------
    ClaimsError
        Naming file, id and field of the first fault.
    """
    path = _path(paper, root)
    if not path.exists():
        hint = _nearest(paper, papers(root))
        raise ClaimsError(f"{paper!r} has no claims file. {hint}".rstrip())
    where = f"data/claims/{path.name}"
    document = _document(path, where)
    for field in ("paper", "claims"):
        if document.get(field) in (None, "", []):
            raise ClaimsError(f"{where}: {field}: missing")
    if document["paper"] != paper:
        raise ClaimsError(f"{where}: paper = {document['paper']!r}: expected {paper!r}")
    for field, value in document.items():
        if field not in _FILE:
            hint = _nearest(str(field), _FILE)
            raise ClaimsError(f"{where}: {field}: unknown field. {hint}".rstrip())
        if not isinstance(value, list if field == "claims" else str):
            kind = "a list" if field == "claims" else "text"
            raise ClaimsError(f"{where}: {field} = {value!r}: expected {kind}")
    claims: dict[str, Claim] = {}
    anchors: dict[str, str] = {}
    for number, row in enumerate(document["claims"], 1):
        claim = _claim(row, paper, where, number)
        if claim.id in claims:
            raise ClaimsError(f"{where}: {claim.id}: id stands twice")
        twin = anchors.setdefault(anchor(claim.id), claim.id)
        if twin != claim.id:
            raise ClaimsError(f"{where}: {claim.id}: id has the same anchor as {twin}")
        claims[claim.id] = claim
    return claims


def find(key: str) -> Claim:
    """Look a claim up by ``"<paper>/<id>"`` in this repository.

    Raises
    ------
    ClaimsError
        No such paper or id; the nearest is named.
    """
    paper, slash, name = str(key).partition("/")
    if not slash:
        raise ClaimsError(f"{key!r}: expected '<paper>/<id>'")
    path = _path(paper)
    claims = _cached(path, path.stat().st_mtime_ns if path.exists() else 0)
    if name not in claims:
        hint = _nearest(name, claims)
        raise ClaimsError(f"{key!r}: no such claim. {hint}".rstrip())
    return claims[name]


@lru_cache(maxsize=32)
def _cached(path: Path, stamp: int) -> dict[str, Claim]:
    """Claims of a file as it was at ``stamp``."""
    return load(path.stem, path.parents[2])


def _path(paper: str, root: Path | None = None) -> Path:
    return (root or ROOT) / "data" / "claims" / f"{paper}.yml"


def _document(path: Path, where: str) -> dict:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        reason = " ".join(str(err).split())
        raise ClaimsError(f"{where}: not valid YAML: {reason}") from None
    if not isinstance(document, dict):
        raise ClaimsError(f"{where}: expected a mapping with {', '.join(_FILE)}")
    return document


def _claim(row: object, paper: str, where: str, number: int) -> Claim:
    if not isinstance(row, dict):
        raise ClaimsError(f"{where}: claim {number}: expected a mapping, got {row!r}")
    name = row.get("id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise ClaimsError(
            f"{where}: claim {number}: id = {name!r}: expected ASCII letters, digits "
            "and . _ - + /, a letter or digit first"
        )
    where = f"{where}: {name}"
    for field in _REQUIRED:
        if row.get(field) in (None, ""):
            raise ClaimsError(f"{where}: {field}: missing")
    for field, value in row.items():
        if field not in _REQUIRED + _OPTIONAL:
            hint = _nearest(str(field), _REQUIRED + _OPTIONAL)
            raise ClaimsError(f"{where}: {field}: unknown field. {hint}".rstrip())
        if field != "expect" and not (isinstance(value, str) and value.strip()):
            raise ClaimsError(f"{where}: {field} = {value!r}: expected text")
    for field, words in (("kind", KINDS), ("on_pass", _ON_PASS)):
        if row[field] not in words:
            rule = f"expected one of {', '.join(words)}"
            raise ClaimsError(f"{where}: {field} = {row[field]!r}: {rule}")
    fault = check_expectation(row["expect"])
    if fault:
        raise ClaimsError(f"{where}: expect: {fault}")
    rest = {k: " ".join(v.split()) for k, v in row.items() if k != "expect"}
    rest["value"] = rest.pop("paper", "unknown")
    return Claim(paper=paper, expect=row["expect"], **rest)


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {close[0]!r}?" if close else ""


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, not the last one's."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Refuse a key that stands twice, then read the mapping as YAML does."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)
