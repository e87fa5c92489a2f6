"""sync-in-logging: silent cases first, then exact numbers."""

from __future__ import annotations

from typing import Any

import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Finding
from perfkit.model.syncs import Sync
from perfkit.rules.sync_in_logging import sync_in_logging
from tests.draw import draw, item
from tests.seeded import at, seeded

FILE = seeded(
    "/home/ada/sync_in_logging.py",
    """
    def train():
        logger.info("%s", loss.item())
        writer.add_scalar("loss", loss.item())
        total += loss.item()
        y = torch.log(x).item()
        catalog(x.item())

    def valid():
        print(loss)
    """,
)


def _found(*syncs: Sync) -> tuple[Finding, ...]:
    letters = "ijklmn"[: len(syncs)]
    picture = f"step  {'d' * len(letters)}\nsync  {letters}"
    run = draw(picture, device="pretend-cuda", **dict(zip(letters, syncs, strict=True)))
    return sync_in_logging(run).findings


def _read(line: str, function: str = "train", **changes: Any) -> Sync:
    return item(stack=(at(FILE, line, function),), **changes)


def test_it_does_not_apply_where_nothing_waits() -> None:
    with pytest.raises(NotApplicable):
        sync_in_logging(draw("step  dddd"))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("total +=", "a running sum is a metric"),
        ("torch.log(x)", "a logarithm is no log line"),
        ("catalog(", "only the end of a name"),
    ],
)
def test_silent(line: str, why: str) -> None:
    assert _found(_read(line)) == (), why


def test_all_log_lines_of_a_function_are_one_finding() -> None:
    (finding,) = _found(_read("logger.info"), _read("add_scalar"))
    assert finding.title == (
        "Logging in train reads from the device: 2 synchronisations per step "
        "(sync_in_logging.py:2, sync_in_logging.py:3)"
    )
    assert finding.rewrite == "device_metrics"


def test_formatting_a_tensor_counts_and_functions_stay_apart() -> None:
    printed = _read("print(loss)", function="valid", kind="print")
    found = _found(printed, _read("logger.info"))
    assert {str(finding.place) for finding in found} == {f"{FILE}:9", f"{FILE}:2"}
