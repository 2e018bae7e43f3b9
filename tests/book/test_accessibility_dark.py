"""Every page in the dark: colours that all can read."""

from __future__ import annotations

from accessibility import COLOURS, barriers
from browsing import needs_chromium

pytestmark = needs_chromium


def test_no_faint_colour_in_any_page(book, server, browser):
    assert barriers(book, server, browser, "dark", COLOURS) == []
