"""Sphinx extension: a book that asks the network for nothing.

MathJax comes from the installed package ``sphinx-mathjax-offline``, in its SVG form:
that needs no web fonts, which some browsers refuse to pages opened from a disk.
sphinx-thebe, which jupyter-book always loads, would fetch a script and declare its
constants twice on each page; its listeners are dropped.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from sphinx.application import Sphinx

ASSETS = Path(__file__).parent / "assets"
_MATHJAX = ("tex-svg.js", "input/tex/extensions", "a11y", "sre/mathmaps/base.json")
_MATHJAX += ("sre/mathmaps/en.json", "ui")


def _drop_thebe(app: Sphinx) -> None:
    for listeners in app.events.listeners.values():
        listeners[:] = [x for x in listeners if "thebe" not in x.handler.__module__]
    for files in (app.registry.js_files, app.registry.css_files):
        files[:] = [entry for entry in files if "thebe" not in str(entry[0])]


def _copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"
    for name in _MATHJAX:
        target = Path(app.outdir) / "_static" / "mathjax" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target, dirs_exist_ok=True)
        else:
            shutil.copy2(source / name, target)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect both changes and the book's style sheet."""
    app.connect("builder-inited", _drop_thebe, priority=900)
    app.connect("build-finished", _copy_mathjax)
    app.config.mathjax_path = "mathjax/tex-svg.js"
    app.config.html_static_path.append(str(ASSETS))
    app.add_css_file("book.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
