"""Grids in traces, sound and odd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perfkit.io.chrome import read_trace
from perfkit.model.events import Events
from tests.kineto_traces import document, needs_corpus, on_device, span, write

OCCUPANCY = "est. achieved occupancy %"


def read(folder: Path, *kernels: dict[str, Any], category: str = "kernel") -> Events:
    events = [on_device(category, "gemm", 10 - i, 1, **args) for i, args in enumerate(kernels)]
    found = read_trace(write(folder / "t.json", document([span("cpu_op", "a", 1, 1), *events])))
    found.self_check()
    return found


@pytest.mark.parametrize(
    "args",
    [{}, {"grid": []}, {"grid": [0, 1, 1]}, {"grid": "x"}, {"grid": [1, 1, 1, 1]}, {"grid": None},
     {"grid": [2**40, 2**40, 1]}, {"grid": [1.5, 1, 1]}],
)  # fmt: skip
def test_a_grid_that_is_none_is_not_told(tmp_path: Path, args: dict[str, Any]) -> None:
    found = read(tmp_path, args, {"grid": [2, 3, 4]})
    assert found.grids.blocks.tolist() == [24]


def test_only_kernels_have_grids(tmp_path: Path) -> None:
    assert len(read(tmp_path, {"grid": [2, 3, 4]}, category="gpu_memset").grids) == 0


def test_rows_follow_the_events_and_what_is_missing_is_unknown(tmp_path: Path) -> None:
    whole = {"grid": [2, 3, 1], "block": [32, 4, 1], OCCUPANCY: 63}
    found = read(tmp_path, whole, {"grid": [7, 1, 1], OCCUPANCY: 1e9}, category="Kernel").grids
    assert found.rows.tolist() == [1, 2]
    assert found.blocks.tolist() == [7, 6]
    assert found.threads.tolist() == [-1, 128]
    assert found.occupancy.tolist() == [-1, 63]


@needs_corpus("a100_alexnet", "compiled_triton")
def test_real_traces_tell_the_grid_of_every_kernel(trace: Path) -> None:
    found = read_trace(trace, shapes=False)
    assert len(found.grids) == int(found.of(("kernel",)).sum())
