"""Blocks against units: what leaves a device empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perfkit.analysis.grid_filling import (
    GridFilling,
    device_property,
    grid_filling,
    grid_filling_table,
)
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.events import Events
from tests.kineto_traces import Event, document, launch, needs_corpus, on_device, span, write

US = 1_000
UNITS = 100
"""Of the device that `kineto_traces` writes."""


def kernels(folder: Path, *work: tuple[str, int, int | None], **document_fields: Any) -> Events:
    """A step of 1 ms with these kernels one after another: name, µs, blocks (None: not told)."""
    events: list[Event] = [span("user_annotation", "ProfilerStep#1", 1_000, 1_000)]
    at = 1_100.0
    for number, (name, width, blocks) in enumerate(work, start=1):
        told = {"est. achieved occupancy %": 20} if blocks else {}
        grid = {"grid": [blocks, 1, 1], "block": [128, 1, 1], **told} if blocks else {}
        category = "gpu_memcpy" if name.startswith("Memcpy") else "kernel"
        op = "aten::mm" if name == "gemm" else "aten::add"
        outer = {"External id": number}
        events.append(span("cpu_op", op, 1_000 + 3 * number, 2, **outer))
        call = span("", "cudaLaunchKernel", 1_000.5 + 3 * number, 1)
        events += launch(call, on_device(category, name, at, width, **grid), number, number)
        at += width
    return read_trace(write(folder / "kernels.json", document(events, **document_fields)))


def filling(events: Events) -> GridFilling:
    reading = trace_reading(events)
    found = grid_filling(events, reading.work, reading.steps)
    found.self_check()
    return found


def test_what_the_trace_does_not_tell_is_not_guessed(tmp_path: Path) -> None:
    told = {
        "no work of a device": kernels(tmp_path),
        "no kernel computes": kernels(tmp_path, ("Memcpy HtoD", 10, None)),
        "grids of 50%": kernels(tmp_path, ("a", 10, 7), ("b", 10, None)),
        "how many units": kernels(tmp_path, ("a", 10, 7), deviceProperties=[]),
    }
    for reason, events in told.items():
        with pytest.raises(NotObservable, match=reason):
            filling(events)


def test_communication_and_copies_are_no_kernels_to_fill_a_device(tmp_path: Path) -> None:
    found = filling(
        kernels(tmp_path, ("full", 10, UNITS), ("ncclDevKernel", 500, 2), ("Memcpy HtoD", 90, None))
    )
    assert (found.total_ns, found.few_ns, found.kernels) == (10 * US, 0, ())


def test_units_without_a_block_are_idle_while_the_kernel_runs(tmp_path: Path) -> None:
    found = filling(
        kernels(tmp_path, ("full", 10, 5 * UNITS), ("few", 20, 25), ("few", 20, 25), ("one", 10, 1))
    )
    assert (found.total_ns, found.few_ns, found.share) == (60 * US, 50 * US, 50 / 60)
    assert found.idle_unit_ns == 39_900
    assert [(k.name, k.calls, k.blocks, k.idle_unit_ns) for k in found.kernels] == [
        ("few", 2, 25, 30 * US),
        ("one", 1, 1, 9_900),
    ]
    assert found.occupancy == 20
    assert grid_filling_table(found).records()[0]["units"] == UNITS


def test_a_property_that_devices_of_other_numbers_share_is_taken() -> None:
    alike = {"deviceProperties": [{"id": 0, "numSms": 80}, {"id": 1, "numSms": 80}]}
    assert device_property(alike, 5, "numSms") == 80
    other = {"deviceProperties": [{"id": 0, "numSms": 80}, {"id": 1, "numSms": 108}]}
    assert device_property(other, 5, "numSms") is None
    assert device_property(other, 1, "numSms") == 108


@needs_corpus("worker0_step_12.1694128201545.pt.trace", "h100_owlv2_large")
def test_real_grids(trace: Path) -> None:
    found = filling(read_trace(trace, shapes=False))
    assert found.share > 0.8 if "worker0" in trace.name else found.share < 0.1
