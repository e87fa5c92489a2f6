"""sync-hidden-in-library: silent cases first, then exact numbers."""

from __future__ import annotations

from typing import Any

import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Finding
from perfkit.model.syncs import Frame, Sync
from perfkit.rules.sync_hidden_in_library import sync_hidden_in_library
from tests.draw import draw, item
from tests.seeded import at, seeded

FILE = seeded(
    "/home/ada/sync_hidden_in_library.py",
    """
    def train():
        loss = library.loss(x)
    """,
)


def _found(*syncs: Sync) -> tuple[Finding, ...]:
    letters = "ijklmn"[: len(syncs)]
    picture = f"step  {'d' * len(letters)}\nsync  {letters}"
    run = draw(picture, device="pretend-cuda", **dict(zip(letters, syncs, strict=True)))
    return sync_hidden_in_library(run).findings


def _read(line: str, function: str = "train", **changes: Any) -> Sync:
    return item(stack=(at(FILE, line, function),), **changes)


def test_it_does_not_apply_where_nothing_waits() -> None:
    with pytest.raises(NotApplicable):
        sync_hidden_in_library(draw("step  dddd"))


LIBRARY = "/usr/lib/python3/site-packages/focal/loss.py"


def test_silent_on_code_of_your_own() -> None:
    assert _found(_read("loss =")) == ()


def test_the_line_that_calls_and_the_library_are_named() -> None:
    mine, theirs = at(FILE, "loss =", "train"), Frame(LIBRARY, 12, "forward")
    (finding,) = _found(item(stack=(theirs, mine), caller=mine))
    assert finding.place == mine
    assert finding.title == (
        "The call in train waits inside focal: 1 synchronisation per step (loss.py:12)"
    )
    assert finding.evidence["lines"] == "loss.py:12 (1)"


def test_a_library_elsewhere_has_no_name() -> None:
    mine = at(FILE, "loss =", "train")
    (finding,) = _found(item(stack=(Frame("/opt/lib.py", 3, "f"), mine), caller=mine))
    assert "inside an installed library" in finding.title
