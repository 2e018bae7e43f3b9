"""Sphinx extension: mend what the theme leaves without a name for a screen reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sphinx.application import Sphinx


def _named(navigation: Callable[..., Any]) -> Callable[..., str]:
    """Give the arrows that unfold the contents a name."""

    def named(*args: Any, **options: Any) -> str:
        html = str(navigation(*args, **options))
        return html.replace("<summary>", '<summary aria-label="Pages of this chapter">')

    return named


def _mend(app: Sphinx, pagename: str, template: str, context: dict, _: Any) -> None:
    if "generate_toctree_html" in context:
        context["generate_toctree_html"] = _named(context["generate_toctree_html"])
    # Bibliography entries have a role of their own, which a list does not allow.
    listed = '<div role="list" class="citation-list">'
    context["body"] = context.get("body", "").replace(
        listed, listed.replace(' role="list"', "")
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect after the theme has put its functions into the page's context."""
    app.connect("html-page-context", _mend, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
