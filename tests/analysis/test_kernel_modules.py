"""Device time by module: exact numbers from pictures, and parts that sum to the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfkit.analysis.device_work import device_work
from perfkit.analysis.kernel_modules import (
    KernelModules,
    ModuleStat,
    Sum,
    kernel_modules,
    kernel_modules_table,
)
from perfkit.analysis.trace_reading import trace_reading
from perfkit.analysis.trace_steps import trace_steps
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.io.trace_ops import device_owners
from perfkit.model.events import Events
from tests.kineto_traces import document, launch, needs_corpus, on_device, span, write
from tests.trace_pictures import US, trace


def _modules(events: Events) -> KernelModules:
    work = device_work(events)
    _, owner = device_owners(events)
    found = kernel_modules(events, trace_steps(events, work), work, owner)
    found.self_check()
    return found


def test_without_device_work_there_is_nothing_to_attribute() -> None:
    with pytest.raises(NotObservable, match="no work of a device"):
        _modules(trace("op aaa a=aten::mm\npy mmm m=nn.Module:~Net_0"))


def test_a_trace_that_names_no_module_says_how_to_record_them() -> None:
    with pytest.raises(NotObservable, match="with_stack=True"):
        _modules(
            trace(
                "step sss\npy   fff f=train.py(3):~fit\ncall l.. l=cudaLaunchKernel\ngpu  .kk k=g"
            )
        )


def test_modules_around_no_launch_are_not_claimed_to_have_none() -> None:
    with pytest.raises(NotObservable, match="no launch"):
        _modules(
            trace(
                "step ssss\npy   mm.. m=nn.Module:~Net_0\ncall ..l. l=cudaLaunchKernel\ngpu  ...k k=g"
            )
        )


def test_work_outside_the_steps_is_left_out() -> None:
    found = _modules(
        trace("""
        step  ...sssss
        py    mm.mmmm. m=nn.Module:~Net_0
        call  l..l.... l=cudaLaunchKernel
        gpu   .kk.kkk. k=gemm
        """)
    )
    assert (found.time_ns, found.modules[0].own, found.modules[0].calls) == (
        3 * US,
        Sum(1, 3 * US),
        1,
    )


NESTED = """
    step  ssssssssssssssssssss
    py    mmmmmmmmmmmmmm...... m=nn.Module:~Net_0
    py    .aaaaabbbbb......... a=nn.Module:~Linear_0 b=nn.Module:~Block_0
    py    ......ccc........... c=nn.Module:~Linear_1
    op    ..dd................ d=aten::mm
    call  ..l...l..l..l..l.... l=cudaLaunchKernel
    gpu   ...kk..kkkkk.kk.kkkk k=gemm
"""


def test_a_launch_belongs_to_the_innermost_module_and_sums_upwards() -> None:
    found = _modules(trace(NESTED, launch={0: 0, 1: 1, 2: 3, 3: 4}))
    told = [
        (m.name, m.depth, m.parent, m.own.time_ns // US, m.total_ns // US) for m in found.modules
    ]
    assert told == [
        ("Net_0", 0, None, 2, 9),
        ("Block_0", 1, 0, 0, 5),
        ("Linear_1", 2, 1, 5, 5),
        ("Linear_0", 1, 0, 2, 2),
    ]
    assert (found.outside, found.backward, found.unknown) == (Sum(1, 4 * US), Sum(0, 0), Sum(0, 0))


def test_the_backward_pass_is_no_module_and_told_apart() -> None:
    found = _modules(
        trace("""
        step   ssssssssss
        py     mmm....... m=nn.Module:~Net_0
        op2    ....bbb... b=autograd::engine::evaluate_function:~MmBackward0
        call   .l........ l=cudaLaunchKernel
        call2  .....l.... l=cudaLaunchKernel
        gpu    ..kk..kkk. k=gemm
        """)
    )
    assert (found.backward, found.outside) == (Sum(1, 3 * US), Sum(0, 0))


def test_work_of_unknown_launch_is_told_apart() -> None:
    found = _modules(
        trace(
            "step sssss\npy   mm... m=nn.Module:~Net_0\ncall l.... l=cudaLaunchKernel\ngpu  .kxx. k=g x=h",
            launch={0: 0},
        )
    )
    assert found.unknown == Sum(1, 2 * US)


def test_a_module_that_is_called_twice_is_one_and_under_another_parent_another() -> None:
    found = _modules(
        trace("""
        step  ssssssssssss
        py    mmmmmmmm.nn. m=nn.Module:~Net_0 n=nn.Module:~Head_0
        py    aa..aa...aa. a=nn.Module:~Linear_0
        call  l...l....l.. l=cudaLaunchKernel
        gpu   .k...k....k. k=gemm
        """)
    )
    assert [(m.name, m.parent, m.calls) for m in found.modules] == [
        ("Net_0", None, 1),
        ("Linear_0", 0, 2),
        ("Head_0", None, 1),
        ("Linear_0", 2, 1),
    ]


def test_modules_nested_without_end_count_for_the_deepest_that_is_kept(tmp_path: Path) -> None:
    nested = [span("python_function", f"nn.Module: M_{i}", i, 1000 - 2 * i) for i in range(200)]
    work = launch(span("", "cudaLaunchKernel", 300, 1), on_device("kernel", "g", 400, 5), 1, None)
    events = read_trace(write(tmp_path / "t.json", document([*nested, *work])))
    found = _modules(events)
    assert (len(found.modules), found.modules[-1].own) == (64, Sum(1, 5 * US))


def test_the_table_is_the_tree_per_step_and_sums_to_the_whole() -> None:
    rows = kernel_modules_table(_modules(trace(NESTED, launch={0: 0, 1: 1, 2: 3, 3: 4}))).records()
    assert [(row["kind"], row["module"], row["parent"]) for row in rows] == [
        ("module", "Net_0", None),
        ("module", "Block_0", 0),
        ("module", "Linear_1", 1),
        ("module", "Linear_0", 0),
        ("outside", None, None),
    ]
    assert sum(int(row["own_ns"] or 0) for row in rows) == 13 * US
    assert rows[0]["share"] == pytest.approx(9 / 13)


def test_of_very_many_modules_the_smallest_are_one_row() -> None:
    many = tuple(
        ModuleStat(f"M_{i}", 0, None, 1, Sum(1, 1000 - i % 7), 1000 - i % 7) for i in range(1500)
    )
    total = sum(module.total_ns for module in many)
    found = KernelModules(many, Sum(0, 0), Sum(0, 0), Sum(0, 0), 1, total)
    found.self_check()
    rows = kernel_modules_table(found).records()
    assert (len(rows), rows[-1]["kind"], rows[-1]["kernels"]) == (1001, "more", 500.0)
    assert sum(int(row["own_ns"] or 0) for row in rows) == total


@needs_corpus("b200_eager", "h100_owlv2_large", "h100_qwen1.5_0.5b", "mi300_qwen1.5_0.5b")
def test_real_models_are_found_and_hold_most_of_what_was_launched(trace: Path) -> None:
    reading = trace_reading(read_trace(trace))
    found = kernel_modules(reading.events, reading.steps, reading.work, reading.owner)
    found.self_check()
    inside = sum(module.own.time_ns for module in found.modules)
    assert inside > 0.9 * (found.time_ns - found.unknown.time_ns)
