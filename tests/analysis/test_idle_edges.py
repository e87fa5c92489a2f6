"""What stands at the end of idle time: operator and Python line."""

from __future__ import annotations

from perfkit.analysis.idle_edges import Edge, idle_edges, idle_edges_table
from perfkit.analysis.trace_reading import trace_reading
from perfkit.model.events import Events
from tests.trace_pictures import US, trace


def _edges(events: Events) -> tuple[Edge, ...]:
    reading = trace_reading(events)
    found = idle_edges(events, reading.idle, reading.waits, reading.op_of_launch)
    assert found == reading.edges
    assert sum(edge.idle_ns for edge in found) == sum(device.total_ns for device in reading.idle)
    return found


def test_a_busy_device_has_no_edge() -> None:
    assert _edges(trace("step sss\ngpu  kkk k=gemm")) == ()


def test_the_operator_and_the_line_that_launched_the_next_work() -> None:
    (edge,) = _edges(
        trace("""
        step  ssssssss
        py    ppppppp. p=train.py(12):~loop
        op    ....aaa. a=aten::mm
        call  .....l.. l=cudaLaunchKernel
        gpu   ......kk k=gemm
        """)
    )
    assert (edge.op, edge.cause, edge.idle_ns) == ("aten::mm", "python", 6 * US)
    assert str(edge.place) == "train.py:12"


def test_short_bubbles_are_grouped_by_operator() -> None:
    edges = _edges(
        trace("""
        step  ssssssssssss
        op    aaaaaaaaaaaa a=aten::mm
        call  lL.L.l...... l=cudaLaunchKernel
        gpu   .k.k.k.kkkkk k=gemm
        """)
    )
    assert {edge.op for edge in edges} <= {"aten::mm", None}
    table = idle_edges_table(edges)
    assert len(table.rows) == len(edges)
    assert table.records()[0]["file"] is None
