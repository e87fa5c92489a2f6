"""A sync's site is its innermost frame."""

from __future__ import annotations

from perfkit.model.syncs import Frame, Sync


def sync(*stack: Frame) -> Sync:
    return Sync("aten::item", "item", "d2h", "forward", stack, 0, 1)


def test_without_frames_there_is_no_site():
    assert sync().site is None


def test_the_innermost_frame_is_the_site():
    inner, outer = Frame("/a.py", 3, "f"), Frame("/b.py", 9, "g")
    assert sync(inner, outer).site == inner and str(inner) == "/a.py:3"
