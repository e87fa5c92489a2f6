from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from perfkit.analysis.communication import (
    algorithm_bandwidth,
    bus_bandwidth,
    collective_kind,
    communication,
    communication_table,
)
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.io.collectives import Shapes, read_shapes
from tests.kineto_traces import (
    HOST,
    corpus,
    document,
    gpu_events,
    launch,
    needs_corpus,
    on_device,
    span,
    write,
)
from tests.rank_traces import NS, rank_trace

SUM = "ncclKernel_AllReduce_RING_LL_Sum_float(ncclDevComm*)"


def seen(tmp_path, trace, shapes=None):
    events = read_trace(write(tmp_path / "t.json", trace))
    found = communication(events, shapes or {})
    found.self_check()
    return found


def test_a_trace_without_communication_is_not_observable_rather_than_none(tmp_path):
    events = read_trace(write(tmp_path / "t.json", document(gpu_events())))
    with pytest.raises(NotObservable, match="no communication kernel"):
        communication(events, {})


def test_copies_hide_nothing_and_compute_hides_its_overlap(tmp_path):
    events = [
        on_device("kernel", SUM, 100, 50, correlation=1),
        {**on_device("kernel", "gemm", 130, 60), "tid": 9},
        {**on_device("gpu_memcpy", "Memcpy HtoD", 100, 20), "tid": 8},
        {**on_device("kernel", SUM, 300, 10), "tid": 6},
        span("cpu_op", "aten::mm", 90, 5),
    ]
    found = seen(tmp_path, document(events))
    assert [(c.duration_ns, c.exposed_ns) for c in found.collectives] == [
        (50_000, 30_000),
        (10_000, 10_000),
    ]
    assert (found.busy_ns, found.exposed_ns, found.overlapped_ns) == (60_000, 40_000, 20_000)


def test_collectives_at_once_on_two_streams_count_once_in_the_sums(tmp_path):
    events = [on_device("kernel", SUM, 0, 10), {**on_device("kernel", SUM, 5, 10), "tid": 9}]
    found = seen(tmp_path, document(events))
    assert found.busy_ns == found.exposed_ns == 15_000
    assert sum(c.duration_ns for c in found.collectives) == 20_000


def test_arguments_come_from_the_operator_around_the_launch(tmp_path):
    found = seen(tmp_path, rank_trace(0, 4, "kkAA.BB", kinds={"B": "_allgather_base"}))
    first, second = found.collectives
    assert (first.kind, second.kind) == ("all_reduce", "all_gather")
    assert (first.group, first.ranks, first.size) == ("0", (0, 1, 2, 3), 4)
    assert [c.sequence for c in found.collectives] == [0, 1]
    assert first.sent_bytes == first.received_bytes == 4096


def test_older_traces_tell_sizes_by_shapes_and_the_kind_by_annotation(tmp_path):
    name = "ncclKernel_SendRecv_RING_SIMPLE_Sum_int8_t(ncclDevComm*)"
    events = [
        span("cpu_op", "c10d::alltoall_base_", 10, 30, **{"External id": 1}),
        span("cpu_op", "record_param_comms", 12, 27, **{"External id": 2}),
        span("user_annotation", "nccl:all_to_all", 14, 20, **{"External id": 3}),
        *launch(span("", "cudaLaunchKernel", 20, 2), on_device("kernel", name, 50, 9), 77, None),
    ]
    told = {1: Shapes(3392, 768, "int"), 3: Shapes(3392, None, "int")}
    (one,) = seen(tmp_path, document(events), told).collectives
    assert (one.kind, one.sent_bytes, one.received_bytes) == ("all_to_all", 13568, 3072)
    assert one.size is None and one.group == ""


def test_an_operator_that_ended_before_the_launch_tells_nothing_about_it(tmp_path):
    before = span("cpu_op", "record_param_comms", 1, 5, **{"Collective name": "broadcast"})
    events = [
        before,
        *launch(span("", "cudaLaunchKernel", 20, 2), on_device("kernel", SUM, 50, 9), 7, None),
    ]
    (one,) = seen(tmp_path, document(events)).collectives
    assert (one.kind, one.sent_bytes) == ("all_reduce", None)


def test_shortened_lists_are_unknown_and_not_half_known(tmp_path):
    args = {"Collective name": "all_to_allv", "dtype": "Half", "In msg nelems": 10}
    args |= {"In split size": "[4, 6]", "Process Group Ranks": "[0, 1, ..., 63]"}
    events = [on_device("kernel", "ncclDevKernel_SendRecv(x)", 0, 10, correlation=3, **args)]
    (one,) = seen(tmp_path, document(events)).collectives
    assert one.in_splits == (4, 6)
    assert one.ranks == ()
    assert one.sent_bytes == 20


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ncclDevKernel_Generic(x)", "other"),
        ("wait", "other"),
        (SUM, "all_reduce"),
        ("ncclDevKernel_ReduceScatter_Sum_bf16_RING_LL(x)", "reduce_scatter"),
        ("_reduce_scatter_base", "reduce_scatter"),
        ("nccl:_all_gather_base", "all_gather"),
        ("allreduce_coalesced", "all_reduce"),
        ("ncclKernel_SendRecv_RING_SIMPLE_Sum_int8_t", "send_recv"),
        ("nccl:recv 0->1", "recv"),
        ("ncclDevKernel_Reduce_Sum_f32", "reduce"),
        ("cross_device_reduce_1stage<bf16>", "all_reduce"),
    ],
)
def test_kinds_in_any_spelling(name, kind):
    assert collective_kind(name) == kind


@pytest.mark.parametrize(
    ("kind", "ranks", "factor"),
    [
        ("all_reduce", 8, 1.75),
        ("all_reduce", 2, 1.0),
        ("all_gather", 4, 0.75),
        ("reduce_scatter", 4, 0.75),
        ("all_to_all", 8, 0.875),
        ("broadcast", 8, 1.0),
        ("other", 8, None),
        ("all_reduce", 1, None),
        ("all_reduce", None, None),
    ],
)
def test_bus_bandwidth_is_that_of_nccl_tests(kind, ranks, factor):
    assert algorithm_bandwidth(1_000_000, 1_000_000) == 1e9
    expected = None if factor is None else factor * 1e9
    assert bus_bandwidth(kind, 1_000_000, ranks, 1_000_000) == expected


def test_unknown_size_or_time_is_no_bandwidth():
    assert algorithm_bandwidth(None, 5) is None
    assert algorithm_bandwidth(5, 0) is None


def test_the_table_joins_alike_ones_and_takes_the_speed_of_the_shortest(tmp_path):
    trace = rank_trace(0, 2, "AAA.kA.kBBBBB", kinds={"B": "broadcast"})
    rows = communication_table(seen(tmp_path, trace)).records()
    assert [(r["kind"], r["calls"], r["total_ns"]) for r in rows] == [
        ("broadcast", 1, 5 * NS),
        ("all_reduce", 2, 4 * NS),
    ]
    assert rows[1]["shortest_ns"] == NS
    assert rows[1]["bus_bandwidth"] == pytest.approx(4096 / 1e-4)


def test_a_launch_without_any_operator_keeps_the_name_of_the_kernel(tmp_path):
    events = [span("cpu_op", "aten::mm", 0, 1), on_device("kernel", SUM, 5, 1, correlation=9)]
    assert events[0]["tid"] == HOST
    assert seen(tmp_path, document(events)).collectives[0].kind == "all_reduce"


@needs_corpus(*(f.name.split(".json")[0] for f in corpus() if f.name.startswith("worker")))
def test_overlap_is_what_hta_finds_on_each_rank(trace):
    folder = Path(os.environ["PERFKIT_TRACE_CORPUS"])
    oracle = json.loads((folder / "oracle" / "dlrm_8ranks.hta.json").read_text())
    rank = int(trace.name.removeprefix("worker")[0])
    found = communication(read_trace(trace), read_shapes(trace))
    found.self_check()
    share = 100 * found.overlapped_ns / found.busy_ns
    assert share == pytest.approx(
        oracle["comm_comp_overlap"][rank]["comp_comm_overlap_pctg"], abs=0.01
    )
    assert len(found.collectives) == 8
    assert all(c.message_bytes for c in found.collectives)
