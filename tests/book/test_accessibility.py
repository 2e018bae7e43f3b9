"""Every page in the light: no serious barrier.

The dark mode has a file of its own, so that the two, the slowest tests there are, run
side by side.
"""

from __future__ import annotations

from accessibility import ALL, barriers
from browsing import needs_chromium

pytestmark = needs_chromium


def test_no_serious_barrier_in_any_page(book, server, browser):
    assert barriers(book, server, browser, "light", ALL) == []
