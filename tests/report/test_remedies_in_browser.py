"""The way from a finding to its fix, in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfkit.report.html import render
from tests.report.test_browser import ARGUMENTS
from tests.report.test_remedies import _diagnosis

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
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


@pytest.mark.parametrize("width", [1280, 390])
def test_diff_and_commands_show_pages_unfold_and_a_click_selects_a_command(
    browser: sync_api.Browser, tmp_path: Path, width: int
) -> None:
    file = tmp_path / "page.html"
    file.write_text(render(_diagnosis()), encoding="utf-8")
    context = browser.new_context(
        viewport={"width": width, "height": 900}, java_script_enabled=True
    )
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.goto(file.as_uri())
    card = page.locator("#finding-1")
    assert card.locator(".line.added").first.is_visible()
    leaf = card.locator("details.leaf", has_text="The page of the fix any_guard")
    assert not leaf.locator("pre").is_visible()
    leaf.locator("summary").click()
    assert "What it does" in leaf.locator("pre").inner_text()
    command = card.locator(".commands code", has_text="--write")
    command.click()
    selected = page.evaluate("getSelection().toString()")
    assert selected.strip() == "perfkit fix --write --select any_guard train.py:9"
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert problems == []
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert (tmp_path / "page.png").stat().st_size > 20_000
