"""A small book in a temporary folder, on which the rules can be broken one by one."""

from __future__ import annotations

import textwrap
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from econlib.book import claims, schema

# A PNG of one grey pixel.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJ"
    "RU5ErkJggg=="
)


class SmallBook:
    """A repository with one chapter, `demo`, and one notebook, `01_half`."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self._monkeypatch = monkeypatch
        self.path = root / "chapters" / "demo" / "01_half.ipynb"
        self.path.parent.mkdir(parents=True)
        (root / "data" / "claims").mkdir(parents=True)
        monkeypatch.setattr(schema, "ROOT", root)

    @staticmethod
    def row(name: str, **fields: object) -> dict:
        """One valid row of a claims file."""
        return {
            "id": name,
            "kind": "theorem",
            "statement": "One half is one half.",
            "source": "derived",
            "expect": {"value": 0.5, "atol": 0.01},
            "notebook": "01_half",
            "on_pass": "illustrated",
            **fields,
        }

    def write_claims(self, *rows: dict, paper: str = "demo") -> Path:
        """Write a claims file."""
        path = self.root / "data" / "claims" / f"{paper}.yml"
        document = {"paper": paper, "title": "A demonstration", "claims": list(rows)}
        path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
        return path

    def bundle(self, key: str, measured: object, **options: str) -> dict:
        """What a check displays, by mime type."""
        shown: list[dict] = []
        with self._monkeypatch.context() as patch:
            patch.setattr(claims, "display", lambda data, raw: shown.append(data))
            assert claims.check(key, measured=measured, **options) is None
        assert len(shown) == 1
        return shown[0]

    def check_cell(self, key: str, measured: float, source: str = "") -> dict:
        """An executed cell that checks one claim."""
        output = new_output("display_data", data=self.bundle(key, measured))
        return new_code_cell(
            source or f'claims.check("{key}", measured=half)',
            id=key.replace("/", "-").replace(".", "-"),
            outputs=[output],
            metadata={"tags": ["nbval-check-output"]},
        )

    def figure_cell(self) -> dict:
        """An executed cell that draws a figure."""
        figure = {"caption": "One pixel.", "name": "fig-demo-pixel"}
        image = {"alt": "A grey pixel.", "width": "100%"}
        data = {"image/png": PNG, "text/plain": "<Figure size 1x1 with 1 Axes>"}
        return new_code_cell(
            "plt.show()",
            id="pixel",
            outputs=[new_output("display_data", data=data)],
            metadata={"mystnb": {"figure": figure, "image": image}},
        )

    def set_up_cells(self) -> list:
        """Title, parameters and set-up, as every notebook begins."""
        setup = f"""
            from pathlib import Path

            from econlib.book import claims, parameters, schema

            schema.ROOT = Path({str(self.root)!r})
            parameters.validate()
            half = scale / 2
        """
        return [
            new_markdown_cell("# Half\n\nSee {numref}`fig-demo-pixel`.", id="title"),
            new_code_cell(
                "scale: float = 1.0  # factor; [0.5, 2]",
                id="parameters",
                metadata={"tags": ["parameters"]},
            ),
            new_code_cell(textwrap.dedent(setup).strip(), id="set-up"),
        ]

    def write_notebook(self, *cells: dict, path: Path | None = None) -> Path:
        """Write a notebook of these cells, counted as executed in order."""
        notebook = new_notebook(cells=list(cells))
        notebook.metadata.kernelspec = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        code = (c for c in notebook.cells if c.cell_type == "code")
        for count, cell in enumerate(code, 1):
            cell.execution_count = count
        path = path or self.path
        nbformat.write(notebook, path)
        return path
