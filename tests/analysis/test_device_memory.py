from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from perfkit.analysis.device_memory import (
    device_memory,
    device_memory_table,
    memory_curve_table,
)
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.events import Events
from tests.kineto_traces import HOST, document, gpu_events, needs_corpus, span, write

CUDA, CPU = 1, 0


def change(ts: float, nbytes: int, total: int | None, kind: int = CUDA, device: int = 0) -> Any:
    args: dict[str, Any] = {"Bytes": nbytes, "Device Type": kind, "Device Id": device}
    if total is not None:
        args |= {"Total Allocated": total, "Total Reserved": 4096}
    about = {"ph": "i", "cat": "cpu_instant_event", "s": "t", "name": "[memory]", "args": args}
    return {**about, "pid": HOST, "tid": HOST, "ts": ts}


def read(tmp_path: Path, *events: Any) -> Events:
    return read_trace(write(tmp_path / "t.json", document([*gpu_events(), *events])))


def test_a_trace_without_allocations_says_how_to_record_them(tmp_path: Path) -> None:
    with pytest.raises(NotObservable, match="profile_memory=True"):
        device_memory(read(tmp_path))


def test_the_peak_is_told_with_its_operator(tmp_path: Path) -> None:
    (found,) = device_memory(
        read(tmp_path, change(1110, 100, 100), change(1130, 900, 1000), change(1700, -900, 100))
    )
    found.self_check()
    assert (found.name, found.peak_bytes, found.op) == ("device 0", 1000, "aten::addmm")
    (row,) = device_memory_table([found]).records()
    assert (row["at_ns"], row["last_change"], row["peak_reserved"]) == (230_000, 900, 4096)
    assert (row["allocations"], row["absolute"], row["file"]) == (2, True, None)


def test_an_operator_that_only_allocates_is_not_the_cause(tmp_path: Path) -> None:
    empty = span("cpu_op", "aten::empty", 1129, 5)
    (found,) = device_memory(read(tmp_path, empty, change(1130, 8, 8)))
    assert found.op == "aten::addmm"


def test_a_peak_outside_of_operators_has_none(tmp_path: Path) -> None:
    (found,) = device_memory(read(tmp_path, change(5000, 8, 8)))
    assert (found.op, found.place) == (None, None)


def test_without_totals_the_changes_add_up_and_it_is_said(tmp_path: Path) -> None:
    (found,) = device_memory(
        read(tmp_path, change(1, 5, None), change(2, 7, None), change(3, -5, None))
    )
    found.self_check()
    assert (found.allocated.tolist(), found.absolute, found.reserved) == ([5, 12, 7], False, None)


def test_devices_and_the_host_are_kept_apart(tmp_path: Path) -> None:
    found = device_memory(
        read(tmp_path, change(1, 3, 3, CPU, -1), change(2, 5, 5, CUDA, 1), change(3, 4, 4, CUDA, 0))
    )
    assert [(each.name, each.peak_bytes) for each in found] == [
        ("device 0", 4),
        ("device 1", 5),
        ("host", 3),
    ]


def test_a_long_curve_is_thinned_and_keeps_its_peak(tmp_path: Path) -> None:
    totals = [1] * 1500 + [99] + [1] * 1500
    (found,) = device_memory(
        read(tmp_path, *(change(i, 1, total) for i, total in enumerate(totals)))
    )
    curve = memory_curve_table([found]).records()
    assert len(curve) <= 401 and max(int(row["allocated"] or 0) for row in curve) == 99


def test_a_recording_of_this_torch_is_understood(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        first = torch.ones(1000, 100)
        product = first @ first.T
        del product
        torch.ones(10)
    recorded.export_chrome_trace(str(tmp_path / "t.json"))
    (found,) = device_memory(read_trace(tmp_path / "t.json"))
    found.self_check()
    assert (found.name, found.op) == ("host", "aten::mm")
    assert 4_400_000 <= found.peak_bytes < 5_400_000


@needs_corpus("mi300_qwen1.5_0.5b", "h100_qwen1.5_0.5b")
def test_real_recordings_add_up(trace: Path) -> None:
    found = device_memory(read_trace(trace))
    for each in found:
        each.self_check()
    assert found[0].name == "device 0" and found[0].peak_bytes > 1 << 30
    assert found[0].op is not None and found[0].place is not None
