from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from perfkit.io.chrome import read_trace
from perfkit.io.trace_ops import device_owners, trace_ops
from perfkit.model.events import DEVICE_WORK
from perfkit.model.run import OpStat
from tests.kineto_traces import (
    COPY_US,
    KERNEL_US,
    corpus,
    document,
    gpu_events,
    launch,
    on_device,
    span,
    write,
)


def stats(tmp_path: Path, spans: list[dict[str, Any]]) -> dict[tuple[str, str], OpStat]:
    events = read_trace(write(tmp_path / "t.json", document(spans)))
    return {(stat.place, stat.name): stat for stat in trace_ops(events)}


def test_an_empty_trace_has_no_rows(tmp_path: Path) -> None:
    assert stats(tmp_path, []) == {}


def test_device_time_is_unknown_without_a_device(tmp_path: Path) -> None:
    (stat,) = stats(tmp_path, [span("cpu_op", "aten::add", 0, 5)]).values()
    assert stat == OpStat("aten::add", "host", 1, 5_000, 5_000, None)


def test_an_operator_that_launched_nothing_has_zero_device_time(tmp_path: Path) -> None:
    found = stats(tmp_path, gpu_events())
    assert found["host", "aten::linear"].device_ns == 0


def test_host_time_with_and_without_children(tmp_path: Path) -> None:
    found = stats(tmp_path, gpu_events())
    linear, addmm = found["host", "aten::linear"], found["host", "aten::addmm"]
    assert (linear.calls, linear.total_ns, linear.self_ns) == (2, 400_000, 100_000)
    assert (addmm.calls, addmm.total_ns, addmm.self_ns) == (2, 300_000, 300_000)


def test_what_is_not_counted_is_no_parent_either(tmp_path: Path) -> None:
    spans = [
        span("cpu_op", "train", 0, 100),
        span("cpu_op", "aten::linear", 10, 50),
        span("cpu_op", "aten::t", 15, 10),
        span("cpu_op", "aten::addmm", 30, 20),
    ]
    events = read_trace(write(tmp_path / "t.json", document(spans)))
    counted = ~events.named(["aten::linear"])
    found = {stat.name: (stat.total_ns, stat.self_ns) for stat in trace_ops(events, counted)}
    assert found == {
        "train": (100_000, 70_000),
        "aten::t": (10_000, 10_000),
        "aten::addmm": (20_000, 20_000),
    }


def test_a_call_inside_one_of_its_own_name_counts_once(tmp_path: Path) -> None:
    spans = [span("cpu_op", "aten::to", 0, 10), span("cpu_op", "aten::to", 2, 6)]
    to = stats(tmp_path, spans)["host", "aten::to"]
    assert (to.calls, to.total_ns, to.self_ns) == (2, 10_000, 10_000)


def test_device_time_goes_to_the_launching_operator(tmp_path: Path) -> None:
    found = stats(tmp_path, gpu_events())
    assert found["host", "aten::addmm"].device_ns == 2 * KERNEL_US * 1000
    assert found["host", "triton_poi_fused_0"].device_ns == 80_000
    assert found["host", "aten::_local_scalar_dense"].device_ns == 2 * COPY_US * 1000


def test_kernels_have_a_row_of_their_own(tmp_path: Path) -> None:
    gemm = stats(tmp_path, gpu_events())["device", "gemm"]
    assert gemm == OpStat("gemm", "device", 2, 601_000, 601_000, 601_000)


def test_one_graph_launch_owns_all_its_kernels(tmp_path: Path) -> None:
    call, _, first, _ = launch(
        span("", "cudaGraphLaunch", 10, 5), on_device("kernel", "a", 20, 5), 8, None
    )
    second = {**first, "name": "b", "ts": 30}
    found = stats(tmp_path, [span("cpu_op", "replay", 0, 18), call, first, second])
    assert found["host", "replay"].device_ns == 10_000


def test_the_external_id_stands_in_for_a_lost_launch(tmp_path: Path) -> None:
    op = span("cpu_op", "aten::mm", 0, 5, **{"External id": 3})
    kernel = on_device("kernel", "gemm", 9, 4, correlation=77, **{"External id": 3})
    assert stats(tmp_path, [op, kernel])["host", "aten::mm"].device_ns == 4_000


def test_kernels_without_a_known_launcher_belong_to_nobody(tmp_path: Path) -> None:
    op = span("cpu_op", "aten::mm", 0, 5, **{"External id": 0})
    kernel = on_device("kernel", "gemm", 9, 4, correlation=0, **{"External id": 0})
    found = stats(tmp_path, [op, kernel])
    assert found["host", "aten::mm"].device_ns == 0
    assert found["device", "gemm"].total_ns == 4_000


def test_operators_that_own_device_work_sum_to_what_is_owned(tmp_path: Path) -> None:
    events = read_trace(write(tmp_path / "t.json", document(gpu_events())))
    work, owner = device_owners(events)
    host = [stat.device_ns or 0 for stat in trace_ops(events) if stat.place == "host"]
    assert sum(host) == int(events.dur[work[owner >= 0]].sum())


def _goldens() -> list[tuple[Path, Path]]:
    """Real traces with what an independent reference says about their kernels."""
    pairs = [(f, f.parent / "oracle" / f"{f.name.split('.json')[0]}.exact.json") for f in corpus()]
    return [(trace, exact) for trace, exact in pairs if exact.exists()]


@pytest.mark.skipif(not _goldens(), reason="PERFKIT_TRACE_CORPUS has no reference values")
def test_kernel_totals_equal_an_independent_reference() -> None:
    for trace, exact in _goldens():
        events = read_trace(trace)
        truth = json.loads(exact.read_text())
        assert int(events.of(DEVICE_WORK).sum()) == truth["n_gpu_events"], trace.name
        found = {stat.name: stat for stat in trace_ops(events) if stat.place == "device"}
        for kernel in truth["top10"]:
            stat = found[kernel["name"]]
            assert (stat.total_ns, stat.calls) == (kernel["total_ns"], kernel["count"]), trace.name
