"""A headless Chromium for pictures of pages; loads nothing but what it is given."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def browser() -> Iterator[Any]:
    """A browser of playwright.

    Raises:
        SystemExit: there is no Chromium, or no playwright.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise SystemExit("playwright is missing: pip install playwright") from error
    if CHROMIUM is None:
        raise SystemExit("Chromium is missing: scripts/chromium installs it where it may")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


def opened(browser: Any, address: str, width: int = 1280, height: int = 800) -> Any:
    """A page at its address, loaded."""
    page = browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
    page.goto(address)
    return page


def picture(page: Any, out: Path, whole: bool = False) -> None:
    """The page as PNG: what is in view, or all of it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    page.wait_for_timeout(500)  # charts draw when they come into view
    page.screenshot(path=out, full_page=whole)
