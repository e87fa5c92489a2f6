"""unpinned-copy: silent cases first, then exact numbers."""

from __future__ import annotations

from typing import Any

import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Finding
from perfkit.model.syncs import Sync
from perfkit.rules.unpinned_copy import unpinned_copy
from tests.draw import copy, draw
from tests.seeded import at, seeded

FILE = seeded(
    "/home/ada/unpinned_copy.py",
    """
    def train():
        x = batch["x"].to(device)
        y = batch["y"].cuda()
        z = torch.tensor([1.0]).to(device)
        w[[0, 2]] = 1
    """,
)


def _found(*syncs: Sync) -> tuple[Finding, ...]:
    letters = "ijklmn"[: len(syncs)]
    picture = f"step  {'d' * len(letters)}\nsync  {letters}"
    run = draw(picture, device="pretend-cuda", **dict(zip(letters, syncs, strict=True)))
    return unpinned_copy(run).findings


def _read(line: str, function: str = "train", **changes: Any) -> Sync:
    return copy(stack=(at(FILE, line, function),), **changes)


def test_it_does_not_apply_where_nothing_waits() -> None:
    with pytest.raises(NotApplicable):
        unpinned_copy(draw("step  dddd"))


@pytest.mark.parametrize(
    ("line", "why"),
    [("z = torch", "made on the spot: there is nothing to pin"), ("w[[0", "an index, no tensor")],
)
def test_silent(line: str, why: str) -> None:
    assert _found(_read(line)) == (), why


def test_silent_on_copies_to_the_host() -> None:
    assert _found(_read("x = batch", kind="d2h", direction="d2h")) == ()


def test_all_copies_of_a_function_are_one_finding() -> None:
    late = _read("y = batch", kind="h2d_pageable_async", certain=False)
    (finding,) = _found(_read("x = batch"), late)
    assert finding.title == (
        "Tensors go to the device from ordinary memory in train: 2 blocking copies per step "
        "(unpinned_copy.py:2, unpinned_copy.py:3)"
    )
    assert finding.rewrite == "pinned_prefetch"
    assert finding.evidence["nbytes"] == 2 * 4096
    assert finding.confidence == "likely"
