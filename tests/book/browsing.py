"""A browser that keeps what a page complains of; used by tests of the built pages."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium: apt-get install chromium to run these"
)
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@contextlib.contextmanager
def opened(browser: Browser, base: str, **options) -> Iterator[Page]:
    """Yield a page whose console errors, failures and foreign requests are kept."""
    options = {"viewport": DESKTOP, **options}
    context = browser.new_context(**options)
    page = context.new_page()
    page.faults = []

    def local(url: str) -> bool:
        return url.startswith((base, "data:", "blob:"))

    def request(route) -> None:
        if local(route.request.url):
            route.continue_()
        else:
            page.faults.append(f"request to {route.request.url}")
            route.abort()

    def failed(request) -> None:
        # Leaving a page gives up what it still loads (its icon): that is no fault.
        if request.failure != "net::ERR_ABORTED":
            page.faults.append(f"{request.failure}: {request.url}")

    context.route("**/*", request)
    page.on(
        "console",
        lambda m: m.type == "error" and page.faults.append(f"{page.url}: {m.text}"),
    )
    page.on("pageerror", lambda e: page.faults.append(f"{page.url}: {e}"))
    page.on("requestfailed", failed)
    page.on("response", lambda r: r.ok or page.faults.append(f"{r.status}: {r.url}"))
    try:
        yield page
    finally:
        context.close()


def settle(page: Page) -> None:
    """Wait for maths and images."""
    page.evaluate(
        """async () => {
            if (document.querySelector('script[src*="tex-svg"]')) {
                while (!window.MathJax?.startup?.promise)
                    await new Promise((done) => setTimeout(done, 20));
                await MathJax.startup.promise;
            }
            await Promise.all([...document.images].map((image) => {
                image.loading = "eager";
                return image.decode().catch(() => null);
            }));
        }"""
    )
