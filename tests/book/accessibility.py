"""What keeps a page from being used by all, as axe sees it in a headless Chromium."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from browsing import opened, settle

# Rules that only the theme's own frame breaks, looked at one by one: none in content.
ALL = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]}
# Nothing but colours depends on the mode.
COLOURS = {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}


def barriers(book, server, browser, mode: str, options: dict) -> list[tuple]:
    """Serious and critical violations of every page: its name, the rule, where."""
    found = []
    with opened(browser, server, color_scheme=mode) as page:
        for name in book.pages:
            page.goto(server + name)
            settle(page)
            result = Axe().run(page, options=options).response
            for violation in result["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    where = violation["nodes"][0]
                    found.append((name, violation["id"], where["html"][:200]))
    return found
