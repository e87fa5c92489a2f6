"""The peak with the device's capacity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perfkit.analysis.peak_memory import LEAST_BYTES, PeakMemory, peak_memory, peak_memory_table
from perfkit.base.errors import NotApplicable
from perfkit.io.chrome import read_trace
from perfkit.model.memory import Held, Memory, StepMemory
from perfkit.model.run import Run
from perfkit.model.samples import Samples, Series
from perfkit.model.syncs import Frame
from tests.analysis.test_memory_holders import STEP, at
from tests.kineto_traces import document, write

HELD = (
    Held("saved for backward", 6, 2, "aten::mm", "Net.0", Frame("model.py", 8, "forward")),
    Held("parameters", 3, 1),
    Held("saved for backward", 1, 1),
)


def test_a_run_without_a_recording_or_a_trace_tells_nothing() -> None:
    for memory in (None, Memory(after=((0, 5),))):
        with pytest.raises(NotApplicable):
            peak_memory(Run("r", memory=memory))


def test_the_live_recording_comes_first_and_without_a_gpu_there_is_no_capacity() -> None:
    peak = peak_memory(Run("r", device="pretend-cuda", memory=Memory(StepMemory(10, held=HELD))))
    assert (peak.live, peak.capacity, peak.full) == (True, None, None)
    assert peak.categories == {"saved for backward": 7, "parameters": 3}
    assert peak.largest("saved for backward") is HELD[0]


def test_capacity_is_the_smallest_devices_that_was_sampled() -> None:
    time = np.zeros(1, np.int64)
    samples = tuple(
        Samples(f"device {i}", time, 0, {"memory_total": Series("bytes", np.array([total]))})
        for i, total in enumerate((np.nan, 40.0, 80.0))
    )
    memory = Memory(StepMemory(10, held=HELD))
    peak = peak_memory(Run("r", device="cuda", memory=memory, samples=samples))
    assert (peak.capacity, peak.full) == (40, 0.25)
    assert (peak.short(0.25), peak.short(0.26)) == (True, False)


def test_a_trace_tells_the_peak_and_the_device(tmp_path: Path) -> None:
    events = read_trace(write(tmp_path / "t.json", document([*STEP, at(112, 1, 1 << 33, 1 << 33)])))
    peak = peak_memory(Run("r", device="cuda", events=events, source="trace"))
    assert (peak.live, peak.capacity, peak.full) == (False, 1 << 34, 0.5)


def test_without_a_capacity_a_large_peak_is_short_memory() -> None:
    assert PeakMemory(StepMemory(LEAST_BYTES), True).short(0.9)
    assert not PeakMemory(StepMemory(LEAST_BYTES - 1), True).short(0.1)


def test_the_table_shows_every_holder() -> None:
    rows = peak_memory_table(PeakMemory(StepMemory(10, held=HELD), True)).records()
    assert [row["share"] for row in rows] == [0.6, 0.3, 0.1]
    assert (rows[0]["file"], rows[0]["line"], rows[1]["op"]) == ("model.py", 8, None)
