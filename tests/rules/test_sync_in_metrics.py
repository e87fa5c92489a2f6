"""sync-in-metrics: silent cases first, then exact numbers."""

from __future__ import annotations

from typing import Any

import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Finding
from perfkit.model.syncs import Sync
from perfkit.rules.sync_in_metrics import sync_in_metrics
from tests.draw import draw, item
from tests.seeded import at, seeded

FILE = seeded(
    "/home/ada/sync_in_metrics.py",
    """
    def train():
        total += loss.item()
        scores += out.cpu().tolist()
        best = loss.item()
        total += loss[mask].sum()

    def accuracy():
        return right.item()

    def draft():
        while len(tokens) < length:
            last = tokens
            tokens.append(logits.argmax().item())
        for row in rows:
            words.append(logits[row].argmax().item())
            logits = model(words[-1])
        for row in rows:
            answers.append(logits[row].argmax().item())
            print(answers)
    """,
)


def _found(*syncs: Sync) -> tuple[Finding, ...]:
    letters = "ijklmn"[: len(syncs)]
    picture = f"step  {'d' * len(letters)}\nsync  {letters}"
    run = draw(picture, device="pretend-cuda", **dict(zip(letters, syncs, strict=True)))
    return sync_in_metrics(run).findings


def _read(line: str, function: str = "train", **changes: Any) -> Sync:
    return item(stack=(at(FILE, line, function),), **changes)


def test_it_does_not_apply_where_nothing_waits() -> None:
    with pytest.raises(NotApplicable):
        sync_in_metrics(draw("step  dddd"))


@pytest.mark.parametrize(
    ("line", "why"),
    [("best =", "read once, for whatever reason"), ("total += loss[mask]", "stays on the device")],
)
def test_silent(line: str, why: str) -> None:
    assert _found(_read(line)) == (), why


@pytest.mark.parametrize("line", ["tokens.append", "words.append"])
def test_silent_where_the_loop_goes_on_from_what_is_collected(line: str) -> None:
    assert _found(_read(line, "draft")) == ()
    assert len(_found(_read("answers.append", "draft"))) == 1


def test_silent_on_copies_to_the_device() -> None:
    assert _found(_read("total += loss.item()", direction="h2d", kind="h2d")) == ()


def test_what_a_function_collects_is_one_finding() -> None:
    copied = _read("scores +=", kind="d2h", op="aten::_to_copy")
    (finding,) = _found(_read("total += loss.item()"), copied)
    assert finding.title == (
        "Metrics in train are collected on the host: 1 synchronisation and 1 blocking copy per step "
        "(sync_in_metrics.py:2, sync_in_metrics.py:3)"
    )
    assert finding.rewrite == "device_metrics"


def test_a_function_named_after_a_metric_counts() -> None:
    (finding,) = _found(_read("return right", function="accuracy"))
    assert finding.place == at(FILE, "return right", "accuracy")
