"""What checkpoints compute again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from perfkit.analysis.recomputation import recomputation, step_ns
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.costs import OpCost
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from tests.cost_rows import GPU, row
from tests.draw import US, draw
from tests.kineto_traces import document, launch, on_device, span, write

HERE = Frame("/p/model.py", 7, "forward")
CHECKPOINT = "torch/utils/checkpoint.py(1100): unpack_hook"
ENGINE = "autograd::engine::evaluate_function: TanhBackward0"


def again(us: float, module: str = "Net.0") -> OpCost:
    about = {"module": module, "phase": "backward", "place": HERE}
    return replace(row("aten::mul", us=us, **about), recomputed=True)


def run(*costs: OpCost, **fields: object) -> Run:
    about = {"device": "cuda", "peaks": GPU, "costs": costs, "costed_steps": 2, **fields}
    return draw(f"step  {'b' * 400}", **about)


def test_without_a_costed_step_or_a_checkpoint_there_is_none() -> None:
    with pytest.raises(NotApplicable, match="no step was costed"):
        recomputation(Run("r"))
    with pytest.raises(NotApplicable, match="no checkpoint"):
        recomputation(run(row(us=10)))


def test_floors_of_a_costed_step_per_step() -> None:
    found = recomputation(run(row(us=60), again(10), again(30, "Net.1")))
    assert (round(found.ns), round(found.work_ns)) == (20 * US, 50 * US)
    assert (found.share, found.operators) == (pytest.approx(0.4), 1.0)
    assert (found.module, found.place, found.measured) == ("Net.1", HERE, False)
    assert step_ns(run(again(30)), found) == 400 * US


def test_measured_times_come_before_floors_where_all_are_known() -> None:
    costs = [replace(cost, device_ns=8 * US) for cost in (row(us=60), again(10))]
    found = recomputation(run(*costs))
    assert (found.ns, found.work_ns, found.measured) == (4 * US, 8 * US, True)
    assert not recomputation(run(costs[0], again(10))).measured


def traced(tmp_path: Path, *events: object) -> Run:
    spans = [span("user_annotation", "ProfilerStep#0", 0, 1000), *events]
    read: Events = read_trace(write(tmp_path / "t.json", document(spans)))  # type: ignore[arg-type]
    return Run("r", device="cuda", events=read, source="trace")


def test_a_trace_without_frames_of_checkpoints_has_none(tmp_path: Path) -> None:
    other = span("python_function", "torch/utils/checkpoint.py(300): checkpoint", 10, 100)
    with pytest.raises(NotApplicable):
        recomputation(traced(tmp_path, other))


def test_a_trace_without_device_work_cannot_tell(tmp_path: Path) -> None:
    with pytest.raises(NotObservable):
        recomputation(traced(tmp_path, span("python_function", CHECKPOINT, 10, 100)))


def test_device_work_inside_the_frame_but_not_in_a_node_nested_in_it(tmp_path: Path) -> None:
    def kernel(ts: float, dur: float, number: int) -> list[object]:
        call = span("", "cudaLaunchKernel", ts, 2)
        return [*launch(call, on_device("kernel", "k", ts + 5, dur), number, None)]

    found = recomputation(
        traced(
            tmp_path,
            span("cpu_op", ENGINE, 100, 400),
            span("python_function", CHECKPOINT, 120, 200),
            *kernel(130, 30, 1),  # computed again
            span("cpu_op", ENGINE, 200, 100),
            *kernel(210, 20, 2),  # a backward inside of a reentrant checkpoint
            *kernel(400, 50, 3),  # a backward
        )
    )
    assert (found.ns, found.work_ns, found.operators) == (30 * US, 100 * US, 1.0)
