"""The newcomer's walk without what needs a server: profile, read the page, fix, compare."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import walk
from scripts._browser import CHROMIUM, browser

pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


def test_what_fails_ends_the_walk_with_what_it_said(tmp_path: Path) -> None:
    with browser() as chromium:
        made = walk.Walk(tmp_path, chromium, Path(sys.executable).parent, "")
        with pytest.raises(
            SystemExit, match=r"(?s)perfkit report nowhere ended with 2:\n.*nowhere"
        ):
            made.type("perfkit report nowhere")
    assert made.pictures == 0


def test_the_command_that_the_verdict_names_removes_what_it_found(tmp_path: Path) -> None:
    walk.lay_out(tmp_path)
    with browser() as chromium:
        made = walk.Walk(tmp_path, chromium, Path(sys.executable).parent, walk.ARGUMENTS[True])
        command = walk.profile(made)
        assert command == "perfkit fix --write --unsafe --select expert_loop ctr/model.py:100"
        walk.read_the_page(made)
        walk.fix(made, command)
        walk.compare(made)
    assert "moe_dispatch(x, weights, chosen" in (tmp_path / "ctr/model.py").read_text()
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert [file.name for file in pictures] == [f"{n:02d}.png" for n in range(1, made.pictures + 1)]
    assert all(file.stat().st_size > 10_000 for file in pictures)
    (page,) = (tmp_path / "reports").glob("*-to-ctr-fixed.html")
    assert "per-expert-loop" in page.read_text(encoding="utf-8")
