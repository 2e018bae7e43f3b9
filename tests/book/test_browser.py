"""Every page in a headless Chromium: quiet, offline, typeset, fit for a phone."""

from __future__ import annotations

import re
from urllib.parse import unquote

from browsing import PHONE, needs_chromium, opened, settle
from playwright.sync_api import Page

pytestmark = needs_chromium


def faults_of_content(page: Page) -> list[str]:
    """Figures without alt text or pixels, and maths that was not typeset."""
    return page.evaluate(
        """() => {
            const found = [];
            for (const image of document.querySelectorAll("article img")) {
                if (!image.alt.trim()) found.push(`no alt text: ${image.src}`);
                if (!image.naturalWidth) found.push(`not loaded: ${image.src}`);
            }
            for (const maths of document.querySelectorAll("article .math"))
                if (!maths.querySelector("mjx-container"))
                    found.push(`not typeset: ${maths.textContent.slice(0, 60)}`);
            const errors = document.querySelectorAll("[data-mjx-error]");
            for (const error of errors)
                found.push(`maths error: ${error.dataset.mjxError}`);
            return found;
        }"""
    )


def faults_of(book, browser, base: str, **options) -> tuple[list[str], int]:
    """What every page complains of, wide pages among it, and the maths that is set."""
    faults, typeset = [], 0
    with opened(browser, base, **options) as page:
        limit = page.viewport_size["width"]
        for name in book.pages:
            page.goto(base + name)
            settle(page)
            faults += [f"{name}: {fault}" for fault in faults_of_content(page)]
            typeset += page.locator("article mjx-container").count()
            width = page.evaluate("document.scrollingElement.scrollWidth")
            if width > limit:
                faults.append(f"{name}: scrolls sideways, {width} > {limit}")
        faults += page.faults
    return faults, typeset


def test_every_page_is_quiet_and_offline_with_figures_and_maths(book, server, browser):
    faults, typeset = faults_of(book, browser, server)
    assert faults == []
    assert typeset > 100, "maths is not found at all"


def test_every_page_opens_from_the_disk_of_a_phone(book, browser):
    faults, typeset = faults_of(book, browser, f"file://{book.html}/", viewport=PHONE)
    assert faults == []
    assert typeset > 100, "maths is not found at all"


def natural(name: str) -> list[tuple[bool, str | int]]:
    """Key under which 5x5 stands before 10x10."""
    parts = re.findall(r"\d+|\D", name.casefold())
    return [(not p.isdigit(), int(p) if p.isdigit() else p) for p in parts]


def test_search_finds_the_chapter(server, browser):
    with opened(browser, server) as page:
        page.goto(f"{server}search.html?q=spread")
        page.wait_for_selector("#search-results li")
        links = page.locator("#search-results li a").evaluate_all(
            "links => links.map(a => a.getAttribute('href'))"
        )
        assert any("chapters/market_makers/" in link for link in links)
        assert page.faults == []


def test_scoreboard_sorts_filters_and_links_to_the_cells(book, server, browser):
    with opened(browser, server) as page:
        page.goto(f"{server}scoreboard.html")
        rows = page.locator("table.scoreboard tbody tr")
        total = rows.count()
        heading = page.get_by_role("button", name="Claim")
        names = page.locator("table.scoreboard tbody td:nth-child(2) code")
        heading.click()
        ascending = names.all_inner_texts()
        heading.press("Enter")
        descending = names.all_inner_texts()
        assert ascending == descending[::-1]
        assert ascending == sorted(ascending, key=natural)

        select = page.get_by_label("Kind")
        select.select_option("theorem")
        visible = page.locator("table.scoreboard tbody tr:visible")
        kinds = visible.locator("td:nth-child(3)").all_inner_texts()
        assert set(kinds) == {"theorem"} and len(kinds) < total
        select.select_option("")
        words = page.get_by_role("searchbox", name="Text")
        words.fill("no claim says this")
        assert visible.count() == 0
        words.fill("")
        assert visible.count() == total

        links = page.locator("table.scoreboard tbody a").evaluate_all(
            "links => links.map(a => a.getAttribute('href'))"
        )
        assert links
        for link in links:
            document, _, anchor = link.partition("#")
            html = (book.html / document).read_text()
            assert html.count(f'id="{unquote(anchor)}"') == 1, link
        page.goto(server + links[-1])
        target = page.locator(".claim:target")
        assert target.is_visible() and target.inner_text()
        assert page.faults == []


def test_scoreboard_without_scripts_is_a_plain_table(server, browser):
    with opened(browser, server, java_script_enabled=False) as page:
        page.goto(f"{server}scoreboard.html")
        table = page.locator("table.scoreboard")
        assert table.locator("tbody tr:visible").count() > 0
        assert "Verdict" in table.locator("thead").inner_text()


def test_a_notebook_page_downloads_its_notebook_and_copies_code(book, server, browser):
    name = next(n for n in book.pages if n.startswith("chapters/") and "/0" in n)
    notebook = (book.source / name).with_suffix(".ipynb")
    with opened(browser, server) as page:
        page.goto(server + name)
        page.get_by_label("Download this page").click()
        with page.expect_download() as download:
            page.locator("a.btn-download-source-button").click()
        assert download.value.suggested_filename == notebook.name
        assert download.value.path().read_bytes() == notebook.read_bytes()
        assert page.locator("button.copybtn").count() > 0
        assert page.locator("a.right-next").count() == 1
        assert page.locator("a.left-prev").count() == 1


def test_the_bare_address_leads_to_the_landing_page(server, browser):
    with opened(browser, server) as page:
        page.goto(server)
        page.wait_for_url("**/intro.html")
        assert page.locator("article h1").count() == 1
        assert page.faults == []


def test_dark_mode_toggles(server, browser):
    ground = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, server, color_scheme="light") as page:
        page.goto(f"{server}intro.html")
        before = page.evaluate(ground)
        button = page.locator("button.theme-switch-button:visible").first
        grounds = set()
        for _ in range(3):
            button.click()
            grounds.add(page.evaluate(ground))
        assert len(grounds) == 2 and before in grounds
