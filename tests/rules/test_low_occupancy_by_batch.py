"""low-occupancy-by-batch: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotObservable
from perfkit.model.events import Events, MemoryChanges
from perfkit.model.run import Run
from perfkit.rules.low_occupancy_by_batch import low_occupancy_by_batch
from tests.analysis.test_grid_filling import UNITS, US, kernels
from tests.cost_rows import product
from tests.draw import draw


def _run(folder: Path, *work: tuple[str, int, int | None], **changes: Any) -> Run:
    return replace(trace_run(kernels(folder, *work), "x"), **changes)


def test_without_a_trace_or_grids_it_cannot_tell(tmp_path: Path) -> None:
    for run in (draw("step  bbbb"), _run(tmp_path, ("a", 500, None))):
        with pytest.raises(NotObservable):
            low_occupancy_by_batch(run)


def test_silent_where_most_kernels_fill_the_device_or_take_little_of_the_step(
    tmp_path: Path,
) -> None:
    for work in (
        (("full", 300, UNITS), ("few", 200, 10)),
        (("few", 90, 10),),
    ):
        assert low_occupancy_by_batch(_run(tmp_path, *work)).findings == ()


def test_small_grids_for_most_of_the_time_are_found(tmp_path: Path) -> None:
    run = _run(tmp_path, ("full", 100, UNITS), ("few<float>(int)", 400, 25))
    (finding,) = low_occupancy_by_batch(run).findings
    assert finding.title == (
        "Kernels that take 80% of the device's time have fewer blocks than its 100 units: the batch is "
        "too small for it"
    )
    assert (finding.evidence["most"], finding.evidence["most_blocks"]) == ("few", 25)
    assert finding.saving is not None
    saving = finding.saving
    assert (saving.low_ns, saving.likely_ns, saving.high_ns) == (0, 60 * US, 300 * US)
    assert finding.fix.startswith("Use a larger batch") and "if memory has room" in finding.fix


def test_products_with_known_costs_are_counted_by_another_rule(tmp_path: Path) -> None:
    run = _run(tmp_path, ("few", 200, 25), ("gemm", 200, 25), costs=(product(),))
    (finding,) = low_occupancy_by_batch(run).findings
    assert finding.saving is not None
    assert finding.saving.high_ns == 150 * US
    assert finding.evidence["of_products_ns"] == 150 * US


def test_a_full_memory_has_no_room_for_a_larger_batch(tmp_path: Path) -> None:
    events = kernels(tmp_path, ("few", 500, 25))
    for held, start in ((1 << 33, "Use a larger batch"), (15 << 30, "Run fewer, larger kernels")):
        run = trace_run(_holding(events, held), "x")
        (finding,) = low_occupancy_by_batch(run).findings
        assert finding.fix.startswith(start)
        assert finding.evidence["memory_used_share"] == held / (1 << 34)


def _holding(events: Events, reserved: int) -> Events:
    changes = MemoryChanges()
    one = replace(changes, **{name: _one(0) for name in changes.__dataclass_fields__})
    return replace(events, memory=replace(one, reserved=_one(reserved), device_type=_one(1)))


def _one(value: int) -> Any:
    return np.array([value], np.int64)
