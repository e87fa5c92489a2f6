"""sync-in-backward: silent cases first, then exact numbers."""

from __future__ import annotations

from typing import Any

import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Finding
from perfkit.model.syncs import Sync
from perfkit.rules.sync_in_backward import sync_in_backward
from tests.draw import draw, item
from tests.seeded import at, seeded

FILE = seeded(
    "/home/ada/sync_in_backward.py",
    """
    def train():
        chosen = scores[mask]
        x.item()
    """,
)


def _found(*syncs: Sync) -> tuple[Finding, ...]:
    letters = "ijklmn"[: len(syncs)]
    picture = f"step  {'d' * len(letters)}\nsync  {letters}"
    run = draw(picture, device="pretend-cuda", **dict(zip(letters, syncs, strict=True)))
    return sync_in_backward(run).findings


def _read(line: str, function: str = "train", **changes: Any) -> Sync:
    return item(stack=(at(FILE, line, function),), **changes)


def test_it_does_not_apply_where_nothing_waits() -> None:
    with pytest.raises(NotApplicable):
        sync_in_backward(draw("step  dddd"))


def test_silent_on_waits_of_the_forward() -> None:
    assert _found(_read("x.item()"), _read("chosen =", kind="mask_index")) == ()


def test_the_line_of_the_forward_is_named() -> None:
    wait = _read("chosen =", kind="mask_index", op="aten::index_put", phase="backward", fix="")
    (finding,) = _found(wait)
    assert finding.title == (
        "The gradient of this line in train waits: 1 synchronisation per step (sync_in_backward.py:2)"
    )
    assert finding.code == "chosen = scores[mask]"
    assert finding.fix
