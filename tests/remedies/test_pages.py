from __future__ import annotations

import pytest

from perfkit.base import plugins
from perfkit.fixes._codemod import fixes as all_fixes
from perfkit.remedies.pages import ROOMS, all_pages, page

FIXES = all_fixes()


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


def test_every_code_names_its_kind_at_run_time_and_its_fixes() -> None:
    for name, module in plugins.modules("perfkit.lint").items():
        found = page("lint", name)
        assert found is not None
        kind = f"the kind `{module.KIND}`" if module.KIND else "no synchronisation of its own"
        assert f"**At run time**: {kind}" in found.text, name
        named = [fix for fix, mod in FIXES.items() if module.CODE in mod.answers]
        fixes = ", ".join(f"`{fix}`" for fix in named) or "none by itself"
        assert f"**Fix**: {fixes}" in found.text, name


def test_a_section_ends_at_the_next_heading_and_stands_at_the_margin() -> None:
    found = page("fixes", "any_guard")
    assert found is not None
    text = found.section("Why it helps")
    assert text == "The test makes the host wait for the device, to save a write of nothing."
    assert found.section("Nothing of the kind") == ""


def test_names_are_those_that_are_printed_a_code_first() -> None:
    names = {(room, name): page(room, name) for room, name in (
        ("rules", "host_wait_in_step"), ("lint", "item_call"), ("catalogue", "repeat_interleave"),
    )}  # fmt: skip
    called = [found.called for found in names.values() if found is not None]
    assert called == [("host-wait-in-step",), ("PK101", "item_call"), ("repeat_interleave",)]
    assert {each.called for each in all_pages() if not each.names[0]} == {("PK900",), ("PK901",)}


def test_a_page_that_can_be_acted_on_says_what_to_type() -> None:
    acts = {each.room for each in all_pages() if each.commands}
    assert acts == {"rewrites", "fixes"}
