"""Sphinx extension: tables computed from the executed notebooks when the book is built.

``{scoreboard}``
    Every claim beside its verdict, each with a link to the cell that measured it.
``{scoreboard-totals}``
    How many claims of each chapter have which verdict.
``{run-status}``
    Seconds, status, machine and versions of every notebook, from the runner's records.

All three are plain tables; ``scoreboard.js`` adds sorting and filters to the first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx import addnodes
from sphinx.application import Sphinx

from econlib.book import scoreboard, seeds
from econlib.book.runs import notebooks

_LONGEST = 120  # characters of a measurement that the scoreboard shows
Cell = str | nodes.Node | Sequence[nodes.Node]


def _table(
    header: Sequence[str], rows: Iterable[Sequence[Cell]], name: str, numeric=()
) -> nodes.container:
    """Lay a table out in a container that scrolls within itself."""
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    head, body = nodes.thead(), nodes.tbody()
    for section, lines in ((head, [header]), (body, rows)):
        for line in lines:
            row = nodes.row()
            for number, cell in enumerate(line):
                entry = nodes.entry()
                if number in numeric:
                    entry["classes"].append("numeric")
                paragraph = nodes.paragraph()
                if isinstance(cell, str):
                    paragraph += nodes.Text(cell)
                else:
                    paragraph += cell
                entry += paragraph
                row += entry
            section += row
    group += [head, body]
    table = nodes.table("", group, classes=[name])
    return nodes.container("", table, classes=["table-scroll"])


class _Computed(Directive):
    """A directive without arguments whose page depends on notebooks and claims."""

    @property
    def env(self):
        return self.state.document.settings.env

    @property
    def root(self) -> Path:
        return Path(self.env.app.srcdir)

    def rows(self) -> list[scoreboard.Row]:
        """Read the scoreboard; a ledger that does not add up fails the build."""
        try:
            return scoreboard.collect(self.root)
        except ValueError as err:
            raise self.error(str(err)) from err

    def depend(self) -> None:
        """Read the page again when a notebook, a claims file or a record changed."""
        watched = [*notebooks(self.root), *self.root.glob("data/claims/*.yml")]
        watched.append(self.root / "data" / "recorded" / "runs.json")
        watched += self.root.glob("data/recorded/*/seeds/*/verdicts.csv")
        for path in watched:
            if path.exists():
                self.env.note_dependency(str(path))

    def built(self, docname: str) -> bool:
        return docname in self.env.found_docs

    def uri(self, docname: str) -> str:
        return self.env.app.builder.get_relative_uri(self.env.docname, docname)

    def page(self, docname: str, text: str = "") -> nodes.Node:
        """Refer to a page by its title, or by ``text``; text alone where it is not."""
        if not self.built(docname):
            return nodes.Text(text or docname)
        inner = nodes.inline(text, text)
        return addnodes.pending_xref(
            "",
            inner,
            refdomain="std",
            reftype="doc",
            refexplicit=bool(text),
            reftarget=f"/{docname}",
            refdoc=self.env.docname,
            refwarn=True,
        )


class Scoreboard(_Computed):
    """Every claim, its paper's value, ours and the verdict."""

    def run(self) -> list[nodes.Node]:
        self.depend()
        header = ("Chapter", "Claim", "Kind", "The paper", "Ours", "Verdict")
        lines = [self.line(row) for row in self.rows()]
        return [_table(header, lines, "scoreboard")]

    def line(self, row: scoreboard.Row) -> list[Cell]:
        docname = row.notebook.removesuffix(".ipynb")
        name: nodes.Node = nodes.literal(row.claim, row.claim)
        if row.verdict != "open" and self.built(docname):
            link = nodes.reference(
                "", "", internal=True, refuri=f"{self.uri(docname)}#{row.anchor}"
            )
            link += name
            name = link
        ours = row.measured
        if len(ours) > _LONGEST:
            ours = ours[:_LONGEST].rsplit(",", 1)[0] + ", …"
        verdict = nodes.inline(
            row.verdict, row.verdict, classes=["verdict", row.verdict.replace(" ", "-")]
        )
        statement = nodes.inline(
            row.statement, f" {row.statement}", classes=["statement"]
        )
        return [row.paper, [name, statement], row.kind, row.value, ours, verdict]


class Totals(_Computed):
    """Verdicts counted, a line a chapter; verdicts that no claim has are left out."""

    def run(self) -> list[nodes.Node]:
        self.depend()
        counts = scoreboard.totals(self.rows())
        shown = [c for c in counts if counts.loc["all", c] or c == "claims"]
        titles = scoreboard.titles(self.root)
        lines = []
        for paper in counts.index:
            chapter = self.page(
                f"chapters/{paper}/index", titles.get(paper, "All chapters")
            )
            lines.append([chapter, *(str(n) for n in counts.loc[paper, shown])])
        numeric = range(1, len(shown) + 1)
        return [_table(("Chapter", *shown), lines, "totals", numeric)]


class RunStatus(_Computed):
    """How long each notebook took when its outputs were last made, and where."""

    def run(self) -> list[nodes.Node]:
        self.depend()
        path = self.root / "data" / "recorded" / "runs.json"
        records = json.loads(path.read_text()) if path.exists() else {}
        lines, machines = [], []
        kept = seeds.agreement(self.root)
        for notebook in notebooks(self.root):
            name = str(notebook.relative_to(self.root))
            record = records.get(name)
            docname = name.removesuffix(".ipynb")
            chapter = notebook.parent.name
            page = self.page(docname)
            same = "–"
            if name in kept:
                same = f"{kept[name].n_agreeing} of {kept[name].n_points}"
            if record is None:
                lines.append([chapter, page, "not recorded", "–", "–", same, "–"])
                continue
            versions = [f"Python {record['python']}"]
            versions += [f"{k} {v}" for k, v in record["versions"].items()]
            machine = f"{record['machine']}; {', '.join(versions)}."
            if machine not in machines:
                machines.append(machine)
            lines.append(
                [
                    chapter,
                    page,
                    f"{record['status']} {record['date']}",
                    f"{record['seconds']:.1f}",
                    f"{record['slowest_cell_seconds']:.1f}",
                    same,
                    str(machines.index(machine) + 1),
                ]
            )
        header = ("Chapter", "Notebook", "Status", "Seconds", "Slowest cell")
        table = _table((*header, "Seeds", "Where"), lines, "status", (3, 4, 5, 6))
        where = nodes.enumerated_list(enumtype="arabic", prefix="", suffix=".")
        for machine in machines:
            where += nodes.list_item("", nodes.paragraph("", machine))
        return [table, where] if machines else [table]


def _add_script(app: Sphinx, pagename: str, *_: object) -> None:
    if pagename == "scoreboard":
        app.add_js_file("scoreboard.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the three directives, and the script of the scoreboard page alone."""
    app.add_directive("scoreboard", Scoreboard)
    app.add_directive("scoreboard-totals", Totals)
    app.add_directive("run-status", RunStatus)
    app.connect("html-page-context", _add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
