"""explicit-synchronize: silent cases first, then exact numbers."""

from __future__ import annotations

from typing import Any

import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Finding
from perfkit.model.syncs import Sync
from perfkit.rules.explicit_synchronize import explicit_synchronize
from tests.draw import draw, item
from tests.seeded import at, seeded

FILE = seeded(
    "/home/ada/explicit_synchronize.py",
    """
    def train():
        torch.cuda.synchronize()
        x.item()
    """,
)


def _found(*syncs: Sync) -> tuple[Finding, ...]:
    letters = "ijklmn"[: len(syncs)]
    picture = f"step  {'d' * len(letters)}\nsync  {letters}"
    run = draw(picture, device="pretend-cuda", **dict(zip(letters, syncs, strict=True)))
    return explicit_synchronize(run).findings


def _read(line: str, function: str = "train", **changes: Any) -> Sync:
    return item(stack=(at(FILE, line, function),), **changes)


def test_it_does_not_apply_where_nothing_waits() -> None:
    with pytest.raises(NotApplicable):
        explicit_synchronize(draw("step  dddd"))


def test_silent_on_a_read() -> None:
    assert _found(_read("x.item()")) == ()


def test_one_finding_per_line_that_synchronises() -> None:
    wait = _read("synchronize", kind="synchronize", op="torch.cuda.synchronize", direction="none")
    (finding,) = _found(wait, _read("x.item()"))
    assert finding.title == (
        "train synchronises outright: 1 of 2 synchronisations per step (explicit_synchronize.py:2)"
    )
    assert finding.place == at(FILE, "synchronize", "train")
    assert finding.fix.startswith("Take it out of the step")
    assert finding.saving is not None
