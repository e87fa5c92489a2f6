"""Costs out of a trace: each piece of work once, all device time accounted for, nothing invented."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from perfkit.analysis import trace_costs as module
from perfkit.analysis.kernels import NO_LAUNCH, in_steps
from perfkit.analysis.trace_costs import (
    BETWEEN_DEVICES,
    IN_GRAPH,
    LONELY,
    NO_SHAPES,
    OTHER_SHAPES,
    OUTSIDE,
    trace_costs,
)
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.costs import OpCost
from perfkit.model.events import UNKNOWN, Events
from tests.kineto_traces import document, needs_corpus, span, write
from tests.trace_pictures import US, trace

BF16 = "c10::BFloat16"


def recorded(*shapes: list[int], dtype: str = BF16) -> dict[str, Any]:
    return {"Input Dims": [*shapes], "Input type": [dtype] * len(shapes)}


MM = recorded([512, 1024], [1024, 64])
ADDMM = recorded([64], [512, 1024], [1024, 64])
LINEAR = recorded([512, 1024], [64, 1024], [64])
ADD = recorded([8, 8], [8, 8], dtype="float")
FLOPS = 2 * 512 * 1024 * 64


def costs(events: Events) -> tuple[OpCost, ...]:
    """The costs, checked: every piece of device work of the steps stands in one row."""
    reading = trace_reading(events)
    found = trace_costs(events, reading.steps, reading.work, reading.owner)
    work = reading.work
    if len(work):
        ours = in_steps(events, reading.steps, work)
        launcher = reading.owner
        begun = (launcher != UNKNOWN) & (reading.steps.index_of(events.start[launcher]) != UNKNOWN)
        whole = int((work.end - work.start)[ours | (begun & ~work.in_graph)].sum())
        assert sum(row.device_ns or 0 for row in found) == whole
    else:
        assert all(row.device_ns is None and row.kernels is None for row in found)
    for row in found:
        known = (row.flops, row.read, row.written)
        assert all(n is None for n in known) if row.unknown else all(n is not None for n in known)
    return found


def drawn(picture: str, **args: dict[str, Any]) -> tuple[OpCost, ...]:
    return costs(trace(picture, args={f"aten::{name}": value for name, value in args.items()}))


def by_op(found: tuple[OpCost, ...]) -> dict[str, OpCost]:
    rows = {row.op: row for row in found}
    assert len(rows) == len(found)
    return rows


# What is not known, or does not count.


def test_a_trace_without_shapes_says_how_to_record_them() -> None:
    with pytest.raises(NotObservable, match="record_shapes=True") as caught:
        drawn("step sss\nop .a. a=aten::mm")
    assert str(caught.value) == NO_SHAPES


def test_shapes_outside_of_the_steps_are_no_costs() -> None:
    with pytest.raises(NotObservable, match="steps"):
        drawn("step ..sss\nop   a...b a=aten::mm b=aten::add", mm=MM)


def test_views_and_allocations_are_no_rows() -> None:
    found = drawn("op aa.bb.cc a=aten::mm b=aten::view c=aten::empty", mm=MM, view=ADD)
    assert [row.op for row in found] == ["aten::mm"]


def test_a_conversion_that_did_nothing_is_no_row() -> None:
    found = drawn("op aa.bb a=aten::mm b=aten::to", mm=MM, to=ADD)
    assert [row.op for row in found] == ["aten::mm"]


def test_annotations_and_python_are_no_rows() -> None:
    found = drawn("note nnnn n=epoch\nop .aa. a=aten::mm\npy ffff f=a.py(1):~f", mm=MM)
    assert [row.op for row in found] == ["aten::mm"]


def test_an_operator_without_model_carries_the_reason() -> None:
    found = by_op(drawn("op aa.bb a=aten::mm b=mylib::gate", mm=MM))
    assert found["mylib::gate"].unknown
    assert found["mylib::gate"].flops is None


def test_an_unknown_operator_that_launched_nothing_did_nothing_on_the_device() -> None:
    found = drawn(
        "op   aa.bb a=aten::mm b=mylib::look\ncall l.... l=cudaLaunchKernel\ngpu  .kk.. k=gemm",
        mm=MM,
    )
    assert [row.op for row in found] == ["aten::mm"]


def test_a_graph_is_unknown_as_a_whole() -> None:
    found = by_op(
        costs(
            trace(
                """
                op    aa...... a=aten::mm
                call  l.g..... l=cudaLaunchKernel g=cudaGraphLaunch
                gpu   .kk.aabb k=gemm a=first b=second
                """,
                launch={0: 0, 1: 1, 2: 1},
                args={"aten::mm": MM},
            )
        )
    )
    graph = found["cudaGraphLaunch"]
    assert (graph.calls, graph.kernels, graph.device_ns) == (1, 2, 4 * US)
    assert graph.unknown == IN_GRAPH


def test_work_that_nobody_launched_is_kept_apart() -> None:
    found = by_op(
        costs(
            trace(
                "op   aa... a=aten::mm\ncall l.... l=cudaLaunchKernel\ngpu  .kk.l k=gemm l=other",
                args={"aten::mm": MM},
            )
        )
    )
    lonely = found[NO_LAUNCH]
    assert (lonely.signature, lonely.unknown, lonely.device_ns) == ("other", LONELY, US)


def test_work_of_an_operator_before_the_step_is_not_the_steps_operators() -> None:
    found = by_op(
        drawn(
            """
            step  ...sssss
            op    b...aa.. a=aten::mm b=aten::add
            call  l...l... l=cudaLaunchKernel
            gpu   ....kkmm k=add m=gemm
            """,
            mm=MM,
            add=ADD,
        )
    )
    assert "aten::add" not in found
    assert found[NO_LAUNCH].unknown == OUTSIDE


def test_a_collective_is_bound_by_its_link() -> None:
    found = by_op(
        drawn(
            """
            op    aa.cc... a=aten::mm c=record_param_comms
            call  l..l.... l=cudaLaunchKernel
            gpu   .kk.nnn. k=gemm n=ncclDevKernel_AllReduce
            """,
            mm=MM,
        )
    )
    assert found["record_param_comms"].unknown == BETWEEN_DEVICES


# What counts.


def test_a_product_with_its_kernel() -> None:
    (row,) = drawn("op aaa a=aten::mm\ncall .l. l=cudaLaunchKernel\ngpu ..kkkk k=gemm", mm=MM)
    assert row == OpCost(
        op="aten::mm",
        signature="bf16[512,1024] x bf16[1024,64]",
        calls=1,
        flops=FLOPS,
        read=2 * (512 * 1024 + 1024 * 64),
        written=2 * 512 * 64,
        unit="matmul",
        dtype="bfloat16",
        host_ns=3 * US,
        device_ns=4 * US,
        kernels=1,
    )


def test_calls_with_the_same_shapes_are_one_row() -> None:
    (row,) = drawn(
        """
        step  ssssss.ssssss
        op    aa.aa..aa.aa. a=aten::mm
        call  l..l...l..l.. l=cudaLaunchKernel
        gpu   .k..k...k..k. k=gemm
        """,
        mm=MM,
    )
    assert (row.calls, row.flops, row.kernels, row.device_ns) == (4, 4 * FLOPS, 4, 4 * US)


def test_what_is_made_of_others_makes_room_for_them() -> None:
    (row,) = drawn(
        "op lllll l=aten::linear\nop .aaa. a=aten::addmm\ncall ..l.. l=cudaLaunchKernel\ngpu ...k k=g",
        linear=LINEAR,
        addmm=ADDMM,
    )
    assert (row.op, row.flops, row.host_ns) == ("aten::addmm", FLOPS, 3 * US)


def test_what_is_made_of_others_counts_where_it_has_a_kernel_of_its_own() -> None:
    (row,) = drawn(
        "op lllll l=aten::linear\ncall ..l.. l=cudaLaunchKernel\ngpu ...k k=g", linear=LINEAR
    )
    assert (row.op, row.flops, row.device_ns) == ("aten::linear", FLOPS, US)


def test_a_product_made_of_a_copy_and_something_unknown_keeps_its_cost() -> None:
    (row,) = drawn(
        """
        op    lllllll l=aten::linear
        op    .aa.... a=aten::add
        call  .l.l... l=cudaLaunchKernel
        gpu   ...kkgg k=copy g=gemm
        """,
        linear=LINEAR,
        add=ADD,
    )
    assert (row.op, row.kernels, row.device_ns) == ("aten::linear", 2, 4 * US)


def test_the_outermost_operator_owns_what_it_calls() -> None:
    (row,) = drawn(
        """
        op    aaaaaaa a=aten::mm
        op    .bb.... b=aten::add
        call  .l..l.. l=cudaLaunchKernel
        gpu   ..kk.gg k=add g=gemm
        """,
        mm=MM,
        add=ADD,
    )
    assert (row.op, row.kernels, row.device_ns, row.host_ns) == ("aten::mm", 2, 4 * US, 7 * US)


def test_an_unknown_operator_does_not_hide_the_known_ones_inside() -> None:
    found = by_op(
        drawn(
            """
            op    ggggggg g=mylib::gate
            op    .aa.... a=aten::mm
            call  .l..l.. l=cudaLaunchKernel
            gpu   ..kk.gg k=gemm g=gate
            """,
            mm=MM,
        )
    )
    assert (found["aten::mm"].device_ns, found["mylib::gate"].device_ns) == (2 * US, 2 * US)
    assert (found["aten::mm"].host_ns, found["mylib::gate"].host_ns) == (2 * US, 5 * US)


def test_shapes_that_always_change_do_not_make_a_row_per_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = [
        span("cpu_op", "aten::mm", 10 * i, 20 - i, **recorded([1, i], [i, 1])) for i in range(1, 8)
    ]
    events = read_trace(write(tmp_path / "t.json", document(spans)))
    whole = costs(events)
    monkeypatch.setattr(module, "MOST", 2)
    found = costs(events)
    assert [row.signature for row in found] == [
        "bf16[1,1] x bf16[1,1]", "bf16[1,2] x bf16[2,1]", OTHER_SHAPES,
    ]  # fmt: skip
    assert (found[-1].calls, found[-1].host_ns) == (5, sum(row.host_ns or 0 for row in whole[2:]))
    assert sum(row.flops or 0 for row in found) == 2 * sum(range(1, 8))


def test_phase_and_module_are_told_where_they_are_known() -> None:
    engine = "autograd::engine::evaluate_function:~MmBackward0"
    found = drawn(
        f"""
        op    .aa...... a=aten::mm
        op    .....cc.. c=aten::mm
        op2   eeee..... e={engine}
        op2   .bb...... b=aten::mm
        py    mmmm..... m=nn.Module:~Net_0
        """,
        mm=MM,
    )
    assert Counter((row.phase, row.module) for row in found) == {
        ("forward", "Net"): 1,
        ("backward", None): 1,
        (None, None): 1,
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12), st.integers(0, 3)), max_size=14))
def test_however_operators_lie_all_device_time_is_in_one_row(
    spans: list[tuple[int, int, int]],
) -> None:
    names = ("aten::mm", "aten::linear", "aten::view", "mylib::gate")
    rows = [f"op {'.' * start}{'a' * length} a={names[name]}" for start, length, name in spans]
    calls = "call " + "l..L.l.L.." * 4 + " l=cudaLaunchKernel"
    picture = "\n".join([*rows, "op2 a a=aten::mm", calls, "gpu " + "k.K" * 12 + " k=some"])
    found = costs(trace(picture, args={"aten::mm": MM, "aten::linear": LINEAR}))
    assert all(row.calls > 0 for row in found)


def test_recorded_with_torchs_profiler_flops_equal_torchs_counter(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, dropout=0.0)
    convolution = torch.nn.Conv1d(32, 8, 3)
    x = torch.randn(2, 10, 32)

    def step() -> None:
        loss = convolution(layer(x).transpose(1, 2)).square().mean()
        loss.backward()

    step()
    with FlopCounterMode(display=False) as counter:
        step()
    with torch.profiler.profile(record_shapes=True) as profiler:
        step()
    profiler.export_chrome_trace(str(tmp_path / "t.json"))
    found = costs(read_trace(tmp_path / "t.json"))
    attention = [row for row in found if "dot_product" in row.op]  # torch counts none on a CPU
    pairs = 2 * 4 * 10 * 10
    assert {row.flops for row in attention} == {2 * pairs * 5 * 8, 2 * pairs * 2 * 8}
    products = sum(row.flops or 0 for row in found if row.unit == "matmul")
    assert products - sum(row.flops or 0 for row in attention) == counter.get_total_flops()
    known = sum(row.calls for row in found if not row.unknown)
    assert known / sum(row.calls for row in found) > 0.95


@needs_corpus("h100_owlv2_large", "compiled_triton")
def test_real_traces_are_costed_nearly_in_full(trace: Path) -> None:
    found = costs(read_trace(trace))
    device = sum(row.device_ns or 0 for row in found)
    assert sum(row.device_ns or 0 for row in found if not row.unknown) / device > 0.95
    assert sum(row.calls for row in found if not row.unknown) > 0.95 * sum(r.calls for r in found)


@needs_corpus(
    "b200_eager", "mi300_qwen1.5_0.5b", "sglang_decode_graph", "a100_stacks_old_style",
    "worker0_step_12.1694128201545.pt.trace",
)  # fmt: skip
def test_real_traces_lose_no_device_time(trace: Path) -> None:
    assert costs(read_trace(trace))
