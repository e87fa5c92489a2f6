"""What keeps a step from being captured: nothing on a steady one; waits, launches, shapes and sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from perfkit.analysis.graph_capture import (
    GraphCapture,
    graph_capture,
    launch_order,
    launch_order_table,
)
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base.errors import NotObservable
from perfkit.model.events import Events
from perfkit.model.run import Gap
from perfkit.model.shapes import Shapes
from perfkit.model.syncs import Sync
from tests.draw import copy, draw, item
from tests.trace_pictures import trace

STEADY = """
    step  sssssss.sssssss
    op    .a.b....a.b.... a=aten::mm b=aten::add
"""
OTHER = STEADY.replace("a.b....a.b....", "a.b....b.a....")
MORE = STEADY.replace("a.b....a.b....", "a.b....a.b.b..")
ON_GPU = """
    step  sssssss.sssssss
    call  l.l.....l.l.... l=cudaLaunchKernel
    gpu   .k.g.....k.g... k=gemm g=relu
"""


def captured(picture: str = STEADY, **changes: object) -> GraphCapture:
    """Deep steps 1 and 2; sync `i` in the first of them, `c` and `C` copies in each."""
    syncs = changes.pop("syncs", "")
    named: dict[str, Sync] = {"i": item(), "o": item(phase="other"), "c": copy(),
                              "C": copy(nbytes=9)}  # fmt: skip
    run = draw(f"step  bbb.ddd.dddd\nsync  ....{syncs}" if syncs else "step  bbb.ddd.dddd",
               device="pretend-cuda", **named)  # fmt: skip
    found = graph_capture(replace(run, events=trace(picture), **changes))
    found.order.self_check()
    return found


def test_nobody_knows_without_a_trace_or_with_one_step() -> None:
    with pytest.raises(NotObservable, match="no trace"):
        graph_capture(draw("step  bbb.ddd.dddd"))
    with pytest.raises(NotObservable, match="fewer than two"):
        captured("step  sssss\nop    .aa.. a=aten::mm")


def test_nobody_knows_where_no_step_was_watched() -> None:
    with pytest.raises(NotObservable, match="sync detectors"):
        graph_capture(replace(draw("step  bbb.bbb"), events=trace(STEADY)))


def test_nobody_knows_what_a_compiled_program_launches_under_the_pretence() -> None:
    with pytest.raises(NotObservable, match="runs uncompiled"):
        captured(gaps=(Gap("torch.compile", "eagerly"),))


def test_equal_steps_without_a_wait_can_be_captured() -> None:
    found = captured()
    assert found.possible
    assert found.order.counts == (2, 2)
    assert found.checked == "launches of 2 steps"
    assert found.unchecked == "shapes of operators were not recorded"


def test_a_wait_before_the_forward_is_no_obstacle() -> None:
    assert captured(syncs="o").possible


def test_a_wait_in_the_forward_is_one() -> None:
    found = captured(syncs="i")
    assert not found.possible
    assert found.waits_told == "0.5 waits per step (model.py:88)"


def test_in_a_foreign_trace_any_wait_is_one() -> None:
    run = draw("step  lll.lll\nsync  o", o=item(phase="other"), device="cuda")
    found = graph_capture(replace(run, events=trace(ON_GPU), source="trace"))
    assert len(found.waits) == 1


@pytest.mark.parametrize(
    ("picture", "told"),
    [(OTHER, "aten::mm and aten::add in the same place"), (MORE, "differently often: 2 and 3")],
)
def test_steps_that_launch_differently(picture: str, told: str) -> None:
    found = captured(picture)
    assert not found.possible
    assert told in found.changes[0]


def test_work_on_a_device_is_compared_by_its_names() -> None:
    order = launch_order(trace_reading(trace(ON_GPU)))
    assert (order.counts, order.differs) == ((2, 2), None)
    other = ON_GPU.replace(".k.g.....k.g...", ".k.g.....g.k...")
    assert "gemm and relu" in (launch_order(trace_reading(trace(other))).differs or "")


def _with_shapes(events: Events, codes: list[int]) -> Events:
    rows = np.flatnonzero(events.of(("cpu_op",)))
    shapes = Shapes(rows, np.array(codes, np.int32), ("f32[2]", "f32[3]"))
    return replace(events, shapes=shapes)


def test_shapes_count_where_they_were_recorded() -> None:
    steady = trace(STEADY)
    same = launch_order(trace_reading(_with_shapes(steady, [0, 1, 0, 1])))
    other = launch_order(trace_reading(_with_shapes(steady, [0, 1, 1, 1])))
    assert (same.shapes, other.shapes, launch_order(trace_reading(steady)).shapes) == (
        True,
        False,
        None,
    )


def test_batches_of_changing_size_are_an_obstacle() -> None:
    assert captured(syncs="c...c").possible
    assert captured(syncs="c...c").checked == "launches of 2 steps, copied bytes"
    assert captured(syncs="c...C").changes == (
        "the bytes copied to the device differ from step to step",
    )


def test_the_table_has_a_row_per_step() -> None:
    order = captured(MORE).order
    assert launch_order_table(order).rows == ((0, 2, True), (1, 3, False))
