from __future__ import annotations

import pytest

from perfkit.base import plugins
from perfkit.remedies.pages import ROOMS, all_pages, page


def test_there_is_no_page_of_what_is_not_there() -> None:
    assert page("rules", "nothing") is None
    assert page("rules", "_claims") is None


@pytest.mark.parametrize("room", ["rules", "fixes", "rewrites", "lint", "catalogue"])
def test_every_plug_in_has_one(room: str) -> None:
    for name in plugins.names(f"perfkit.{room}"):
        found = page(room, name)
        assert found is not None and found.title, name
        assert found.what == ROOMS[room]


@pytest.mark.parametrize(("room", "title"), [
    ("rules", "When not to act"), ("fixes", "When not to act"),
    ("rewrites", "When it wins, and when not"),
])  # fmt: skip
def test_every_page_says_when_not_to_act(room: str, title: str) -> None:
    missing = [p.names[0] for p in all_pages() if p.room == room and not p.section(title)]
    assert missing == []


def test_a_section_ends_at_the_next_heading_and_stands_at_the_margin() -> None:
    found = page("fixes", "any_guard")
    assert found is not None
    text = found.section("Why it helps")
    assert text == "The test makes the host wait for the device, to save a write of nothing."
    assert found.section("Nothing of the kind") == ""
