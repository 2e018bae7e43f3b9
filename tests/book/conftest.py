"""The book, built once for all tests of a session, whichever workers run them.

And a small book, on which the rules of the ledger can be broken one by one.
"""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browsing import CHROMIUM
from filelock import FileLock
from playwright.sync_api import Browser, sync_playwright
from small_book import SmallBook

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Book:
    """A built book: its sources, its pages, and what the build said."""

    source: Path
    html: Path
    status: int
    log: str

    @property
    def pages(self) -> list[str]:
        """Every page by its path below ``html``; index.html only leads to the first."""
        found = self.html.rglob("*.html")
        names = (p.relative_to(self.html).as_posix() for p in found)
        return sorted(n for n in names if n != "index.html" and n[0] != "_")


@pytest.fixture(scope="session")
def book(tmp_path_factory, request) -> Book:
    """Build from a copy of the committed notebooks, as ``make reproduce`` does."""
    base = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        base = base.parent
    source, done = base / "book", base / "book.json"
    with FileLock(f"{done}.lock"):
        if not done.exists():
            for path in sorted((ROOT / "chapters").glob("*/[0-9]*.ipynb")):
                copy = source / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, copy)
            records = Path("data") / "recorded" / "runs.json"
            if (ROOT / records).exists():
                (source / records).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / records, source / records)
            built = subprocess.run(
                [sys.executable, "-m", "econlib.book.html", str(source)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=ROOT,
            )
            done.write_text(json.dumps([built.returncode, built.stdout]))
    status, log = json.loads(done.read_text())
    return Book(source, source / "_build" / "html", status, log)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing: the browser reports what fails."""


@pytest.fixture(scope="module")
def server(book) -> Iterator[str]:
    """Address of the built book on this machine."""
    handler = functools.partial(_Quiet, directory=str(book.html))
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://localhost:{httpd.server_address[1]}/"
        httpd.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture
def small_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallBook:
    """A book in a temporary folder, without claims or notebooks yet."""
    return SmallBook(tmp_path, monkeypatch)
