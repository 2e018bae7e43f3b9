"""The book builds without a warning and holds what readers were promised."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import yaml

import econlib
from econlib.book import scoreboard
from econlib.book.runs import notebooks

ROOT = Path(__file__).resolve().parents[2]


def _toc_files(node) -> list[str]:
    if isinstance(node, list):
        return [name for part in node for name in _toc_files(part)]
    if not isinstance(node, dict):
        return []
    own = [node[k] for k in ("root", "file") if k in node]
    return own + [n for v in node.values() for n in _toc_files(v)]


def test_book_builds_without_a_warning(book):
    assert book.status == 0, book.log
    assert "WARNING" not in book.log and "ERROR" not in book.log, book.log


def test_pages_name_no_place_of_this_machine(book):
    for name in book.pages:
        text = (book.html / name).read_text()
        assert str(ROOT) not in text and str(book.source) not in text, name
        assert "PosixPath(" not in text, name


def test_a_broken_reference_fails_the_build(tmp_path):
    (tmp_path / "chapters").mkdir()
    (tmp_path / "_config.yml").write_text("title: t\nauthor: a\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: intro\n")
    (tmp_path / "intro.md").write_text("# T\n\nSee {ref}`nowhere`.\n")
    from_package = (
        "import sys; from pathlib import Path; from econlib.book import html; "
        "html._REPOSITORY = Path(sys.argv[1]).resolve(); "
        "sys.exit(html.build(html._REPOSITORY))"
    )
    built = subprocess.run(
        [sys.executable, "-c", from_package, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert built.returncode != 0
    assert "nowhere" in built.stdout + built.stderr


def test_contents_list_every_notebook_and_only_pages_that_exist():
    listed = _toc_files(yaml.safe_load((ROOT / "_toc.yml").read_text()))
    stems = {str(p.relative_to(ROOT).with_suffix("")) for p in notebooks(ROOT)}
    assert len(listed) == len(set(listed))
    assert stems <= set(listed), "a notebook that _toc.yml lacks"
    for name in listed:
        assert any((ROOT / f"{name}{end}").exists() for end in (".md", ".ipynb")), name


def test_scoreboard_page_has_each_claim_with_its_verdict(book):
    page = (book.html / "scoreboard.html").read_text()
    table = page[page.index('class="scoreboard') :]
    rows = re.findall(r"<tr.*?</tr>", table[: table.index("</table>")], re.DOTALL)[1:]
    expected = scoreboard.collect(ROOT)
    assert len(rows) == len(expected) > 0
    for html, row in zip(rows, expected, strict=True):
        assert f">{row.claim}<" in html
        assert f'<span class="verdict {row.verdict.replace(" ", "-")}">' in html


def test_landing_page_has_the_totals(book):
    page = (book.html / "intro.html").read_text()
    totals = scoreboard.totals(scoreboard.collect(ROOT)).loc["all"]
    last = re.findall(r"<tr.*?</tr>", page[page.index('class="totals') :], re.DOTALL)
    last = next(row for row in last if "All chapters" in row)
    numbers = [int(n) for n in re.findall(r"<p>(\d+)</p>", last)]
    assert numbers == [n for n in totals if n]


def test_status_page_has_each_recorded_run(book):
    page = (book.html / "status.html").read_text()
    text = re.sub(r"<[^>]*>", " ", page)
    records = json.loads((ROOT / "data" / "recorded" / "runs.json").read_text())
    names = {str(p.relative_to(ROOT)) for p in notebooks(ROOT)}
    assert set(records) == names, "a notebook without a record, or the reverse"
    for name, record in records.items():
        assert f'href="{name.removesuffix(".ipynb")}.html"' in page
        assert f"{record['status']} {record['date']}" in text


def test_every_public_module_has_its_place_in_the_reference():
    documented = {
        name
        for path in (ROOT / "reference").glob("*.md")
        for name in re.findall(r"automodule:: ([\w.]+)", path.read_text())
    }
    public = set()
    for info in pkgutil.walk_packages(econlib.__path__, "econlib."):
        if not info.name.endswith("__main__"):
            module = importlib.import_module(info.name)
            if getattr(module, "__all__", None):
                public.add(info.name)
    assert documented == public


def test_every_entry_of_the_bibliography_is_cited():
    entries = re.findall(r"^@\w+\{(\w+),", (ROOT / "references.bib").read_text(), re.M)
    assert entries == sorted(set(entries))
    sources = [*ROOT.glob("*.md"), *ROOT.glob("chapters/*/*.md"), *notebooks(ROOT)]
    sources += [*(ROOT / "econlib").rglob("*.py")]
    text = "\n".join(path.read_text() for path in sources)
    assert [e for e in entries if not re.search(rf"\b{e}\b", text)] == []
