"""What was alive at the peak, from `[memory]` events; times in µs, sizes in bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from perfkit.analysis.memory_holders import memory_holders
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.events import Events
from tests.analysis.test_device_memory import CPU, change
from tests.kineto_traces import document, span, write

ENGINE = "autograd::engine::evaluate_function: AddmmBackward0"


def at(ts: float, address: int, nbytes: int, total: int | None, kind: int = 1) -> Any:
    event = change(ts, nbytes, total, kind)
    event["args"]["Addr"] = address
    return event


def read(tmp_path: Path, *events: Any) -> Events:
    return read_trace(write(tmp_path / "t.json", document(list(events))))


STEP = (
    span("cpu_op", "aten::linear", 100, 100),
    span("cpu_op", "aten::empty", 110, 5),
    span("python_function", "nn.Module: Linear_0", 90, 120),
    span("cpu_op", ENGINE, 300, 100),
    span("cpu_op", "aten::mm", 310, 50),
    span("user_annotation", "Optimizer.step#Adam.step", 500, 100),
    span("cpu_op", "aten::zeros_like", 510, 20),
)


def test_without_allocations_or_addresses_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotObservable, match="profile_memory"):
        memory_holders(read(tmp_path, *STEP))
    with pytest.raises(NotObservable, match="addresses"):
        memory_holders(read(tmp_path, *STEP, change(112, 8, 8)))


def test_what_something_is_follows_from_its_life(tmp_path: Path) -> None:
    found = memory_holders(
        read(
            tmp_path,
            *STEP,
            at(112, 1, 50, 150),  # an activation, above 100 bytes from before
            at(150, 3, 10, 160),
            at(160, 3, -10, 150),
            at(320, 2, 40, 190),  # a gradient
            at(330, 1, -50, 140),
            at(340, 4, 5, 145),  # the address of something freed is used again
            at(350, 4, -5, 140),
            at(515, 1, 60, 200),  # a state
        )
    )
    found.self_check()
    held = {each.category: (each.nbytes, each.op) for each in found.held}
    assert held == {
        "kept from before": (100, ""),
        "optimizer state": (60, "aten::zeros_like"),
        "gradients": (40, "aten::mm"),
    }
    assert (found.peak_bytes, found.op, found.trained) == (200, "aten::zeros_like", True)


def test_an_activation_is_told_with_its_operator_and_module(tmp_path: Path) -> None:
    freed = at(330, 1, -50, 0)
    found = memory_holders(read(tmp_path, *STEP, at(112, 1, 50, 50), freed, at(800, 9, 1, 1)))
    (held,) = found.held
    assert (held.category, held.op, held.module) == (
        "saved for backward",
        "aten::linear",
        "Linear_0",
    )
    assert found.phase is None


def test_a_device_comes_before_the_host(tmp_path: Path) -> None:
    found = memory_holders(read(tmp_path, at(1, 1, 900, 900, CPU), at(2, 2, 7, 7)))
    assert found.peak_bytes == 7


def test_a_trace_of_torch_itself(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    model = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64))
    with profile(
        activities=[ProfilerActivity.CPU], profile_memory=True, with_stack=True
    ) as recording:
        model(torch.ones(64, 64)).sum().backward()
    recording.export_chrome_trace(str(tmp_path / "trace.json"))
    found = memory_holders(read_trace(tmp_path / "trace.json"))
    found.self_check()
    assert found.trained
    assert found.bytes_of("saved for backward") >= 64 * 64 * 4
