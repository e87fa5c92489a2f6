"""The page in a real browser: it opens offline, draws, and lets nothing hostile run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from perfkit.model.costs import OpCost
from perfkit.model.run import Run
from perfkit.report.html import render
from perfkit.rules import _engine, diagnose
from tests.sample_runs import ctr_run, hostile_run, lens_run

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Opened:
    """A page in the browser and what it did while it opened."""

    page: sync_api.Page
    address: str
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    failed: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def _open(browser: sync_api.Browser, run: Run, folder: Path, **context: object) -> Opened:
    file = folder / "page.html"
    file.write_text(render(diagnose(run, _engine.outcome)), encoding="utf-8")
    page = browser.new_context(**context).new_page()
    opened = Opened(page, file.as_uri())
    page.on("console", lambda message: opened.console.append(message.text))
    page.on("pageerror", lambda error: opened.console.append(str(error)))
    page.on("request", lambda request: opened.requests.append(request.url))
    page.on("requestfailed", lambda request: opened.failed.append((request.url, request.failure)))
    page.goto(opened.address)
    return opened


def _assert_quiet(opened: Opened) -> None:
    assert opened.console == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [opened.address]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_offline_draws_and_fits(
    browser: sync_api.Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    size = {"width": width, "height": 800}
    opened = _open(browser, ctr_run(), tmp_path, viewport=size, color_scheme=scheme, offline=True)
    opened.page.wait_for_selector("#chart-steps svg .points path")
    assert opened.page.locator("#chart-steps .points path").count() == 12
    _assert_quiet(opened)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    shot = tmp_path / "page.png"
    opened.page.screenshot(path=shot, full_page=True)
    assert shot.stat().st_size > 20_000


def test_the_first_screen_says_which_line_how_much_what_instead(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    opened = _open(browser, ctr_run(), tmp_path, viewport={"width": 1280, "height": 800})
    for text in ("411 ms on this CPU", "model.py:18", "8.32 ms", "Sort the tokens by expert"):
        box = opened.page.locator("#verdict").get_by_text(text).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 800, text


def test_hostile_names_stay_text(browser: sync_api.Browser, tmp_path: Path) -> None:
    opened = _open(browser, hostile_run(), tmp_path)
    opened.page.wait_for_selector("#chart-steps svg")
    _assert_quiet(opened)
    assert "perfkit" in opened.page.title()
    assert opened.page.title() != "owned"
    assert opened.page.locator("img").count() == 0
    assert opened.page.locator("script:not([type])").count() == 2
    assert opened.page.locator("body").inner_text().count("{{7*7}}") > 3
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_the_policy_is_in_force(browser: sync_api.Browser, tmp_path: Path) -> None:
    opened = _open(browser, ctr_run(), tmp_path)
    opened.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'owned'";
            document.body.append(script);
            const image = document.createElement("img");
            image.setAttribute("onerror", "document.title = 'owned'");
            image.src = "http://127.0.0.1:9/x.png";
            document.body.append(image);
        }"""
    )
    opened.page.wait_for_timeout(200)
    assert opened.page.title() != "owned"
    assert any("Content Security Policy" in message for message in opened.console)
    assert [url for url, reason in opened.failed if reason == "csp"] == ["http://127.0.0.1:9/x.png"]


def test_it_reads_without_javascript(browser: sync_api.Browser, tmp_path: Path) -> None:
    opened = _open(browser, lens_run(), tmp_path, java_script_enabled=False)
    text = opened.page.locator("body").inner_text()
    for expected in ("494", "loss.py:23", "The chart needs JavaScript", "404 ms – 408 ms"):
        assert expected in text


def test_it_prints_dark_ink_on_white_whatever_the_screen_is(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    opened = _open(browser, ctr_run(), tmp_path, color_scheme="dark")
    opened.page.wait_for_selector("#chart-steps svg")
    ink = "getComputedStyle(document.querySelector('h1')).color"
    assert opened.page.evaluate(ink) == "rgb(231, 232, 234)"
    opened.page.emulate_media(media="print")
    assert opened.page.evaluate(ink) == "rgb(27, 29, 33)"
    _assert_quiet(opened)


def test_links_jump_and_the_keyboard_reaches_everything(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    opened = _open(browser, ctr_run(), tmp_path)
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
    opened.page.get_by_role("link", name="model.py:18").first.click()
    assert opened.page.url.endswith("#finding-1")
    assert opened.page.locator("#finding-1").is_visible()
    assert opened.page.locator("details").count() == 1
    opened.page.locator("summary").focus()
    opened.page.keyboard.press("Enter")
    assert opened.page.locator("details table").is_visible()


def test_the_roofline_draws_and_fits(browser: sync_api.Browser, tmp_path: Path) -> None:
    costs = tuple(
        OpCost("aten::mm", f"f32[{n},64] x f32[64,{n}]", n, 9**n, 8**n, 8**n, "matmul", "float32",
               host_ns=7**n, module="<b>M</b>")
        for n in range(4, 9)
    )  # fmt: skip
    run = replace(ctr_run(), costs=(*costs, OpCost("x::y", "", 1, unknown="odd", host_ns=9)),
                  costed_steps=1)  # fmt: skip
    opened = _open(browser, run, tmp_path, viewport={"width": 390, "height": 800}, offline=True)
    opened.page.wait_for_selector("#chart-roofline svg .points path")
    assert opened.page.locator("#chart-roofline .points path").count() >= len(costs)
    assert opened.page.locator("#chart-floor svg .bars path").count() > 3
    _assert_quiet(opened)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 390
