"""The page of everything in a real browser: the search finds, links open what they lead to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perfkit.report.reference import render
from tests.report.test_browser import ARGUMENTS, CHROMIUM, Opened, _assert_quiet, _opened
from tests.report.test_reference import CODES, COMMANDS

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def _reference(browser: sync_api.Browser, folder: Path, anchor: str = "", **more: object) -> Opened:
    return _opened(browser, render(COMMANDS, CODES, "0"), folder, anchor, offline=True, **more)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_offline_and_fits(
    browser: sync_api.Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    size = {"width": width, "height": 800}
    opened = _reference(browser, tmp_path, viewport=size, color_scheme=scheme)
    opened.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    _assert_quiet(opened)


def test_the_search_shows_what_holds_every_word_and_opens_a_single_one(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    page = _reference(browser, tmp_path).page
    page.keyboard.press("/")
    page.keyboard.type("interleave REPEAT")
    assert page.locator("#kind-repeat_interleave").is_visible()
    assert not page.locator("#PK101").is_visible()
    assert not page.locator("#commands").is_visible()
    assert page.get_by_role("status").inner_text().endswith(f" of {page.locator('.entry').count()}")
    page.locator(".search input").fill("moe_dispatch one per expert in a loop of nowhere")
    assert page.get_by_role("status").inner_text().startswith("0 of ")
    page.locator(".search input").fill("PK900")
    assert page.get_by_text("It was left out; the other files were read.").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#commands").is_visible()


def test_a_link_opens_its_page_also_where_the_search_hides_it(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    page = _reference(browser, tmp_path, "#rule-host-wait-in-step").page
    body = page.get_by_text("The device runs ahead of Python")
    assert body.is_visible()
    page.locator(".search input").fill("PK101")
    assert not body.is_visible()
    page.evaluate("location.hash = '#kind-nonzero'")
    page.locator("#kind-nonzero .body").wait_for()
    assert page.locator(".search input").input_value() == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: sync_api.Browser, tmp_path: Path, scheme: str) -> None:
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    script = Path(package.__path__[0], "axe.min.js").read_text(encoding="utf-8")
    # The page's own policy would keep axe out, too.
    page = _reference(browser, tmp_path, color_scheme=scheme, bypass_csp=True).page
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    page.evaluate(script)
    found = page.evaluate("axe.run()")
    assert len(found["passes"]) > 10
    serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["target"]) for each in serious] == []
