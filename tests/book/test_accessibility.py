"""Every page in a headless Chromium, in both modes: usable by all."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import needs_chromium, opened, settle

pytestmark = needs_chromium
# Rules that only the theme's own frame breaks, looked at one by one: none in content.
_AXE = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]}


# Nothing but colours depends on the mode.
_DARK = {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_no_serious_barrier_in_any_page(book, server, browser, mode):
    barriers, options = [], _AXE if mode == "light" else _DARK
    with opened(browser, server, color_scheme=mode) as page:
        for name in book.pages:
            page.goto(server + name)
            settle(page)
            result = Axe().run(page, options=options).response
            for violation in result["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    where = violation["nodes"][0]
                    barriers.append((name, violation["id"], where["html"][:200]))
    assert barriers == []
