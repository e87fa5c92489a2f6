"""Edits by name: what matches nothing is refused with a hint, what matches is found in the window."""

from __future__ import annotations

import pytest

from perfkit.analysis.dependency_graph import DependencyGraph, dependency_graph
from perfkit.analysis.what_if import Captured, Faster, HostFaster, WithoutWaits
from perfkit.analysis.what_if_names import EDITS, Described, edits_described, rows_named
from perfkit.base.errors import PerfkitError
from perfkit.model.events import Events
from tests.timelines import Simulator, as_events


def two_steps() -> Events:
    machine = Simulator()
    for _ in range(2):
        begin = machine.now
        machine.op(12)
        machine.kernel(4, 80)
        machine.read()
        machine.step(begin)
    return as_events(machine.rows)


def graph() -> DependencyGraph:
    events = two_steps()
    return dependency_graph(events, events.steps())


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (Described("slower", ("gemm",)), "no such edit: 'slower'"),
        (Described("fused", ("aten::nothing",)), "nothing in the trace is named aten::nothing"),
        (Described("fused", ()), "nothing in the trace is named"),
        (Described("faster", ("gemm",)), "1 or more: None"),
        (Described("faster", ("gemm",), 0.5), "1 or more: 0.5"),
        (Described("host_faster", ()), "the host gets must be 1 or more: None"),
        (Described("host_faster", ("gemm",), 2), "nothing in the trace is named gemm"),
        (Described("faster", ("gemm",), float("nan")), "1 or more: nan"),
    ],
)
def test_what_means_nothing_is_refused(described: Described, message: str) -> None:
    with pytest.raises(PerfkitError, match=message) as caught:
        edits_described(graph(), [described])
    assert caught.value.hint


def test_the_hint_names_what_there_is() -> None:
    with pytest.raises(PerfkitError) as caught:
        edits_described(graph(), [Described("fused", ("gem",))])
    assert "gemm" in str(caught.value.hint)


def test_names_have_wildcards_and_case() -> None:
    one = graph()
    assert len(rows_named(one, ["g?mm"])) == 2
    assert len(rows_named(one, ["cuda*"])) == 6
    assert rows_named(one, ["GEMM"]) == ()


def test_every_kind_of_edit_finds_its_rows() -> None:
    one = graph()
    rows = rows_named(one, ["aten::item"])
    for kind, made in EDITS.items():
        (edit,) = edits_described(one, [Described(kind, ("aten::item",))])
        assert edit == made(rows)
    (faster,) = edits_described(one, [Described("faster", ("aten::item",), 2)])
    assert faster == Faster(rows, 2)
    (host,) = edits_described(one, [Described("host_faster", ("aten::item",), 2)])
    assert host == HostFaster(2, rows)
    assert edits_described(one, [Described("host_faster", (), 2)]) == [HostFaster(2)]


def test_a_capture_happens_once_in_every_step() -> None:
    one = graph()
    steps = one.events.steps()
    found = edits_described(one, [Described("captured", ("aten::*",))], steps)
    assert [type(edit) for edit in found] == [Captured, Captured]
    (waits,) = edits_described(one, [Described("without_waits", ("aten::*",))], steps)
    assert isinstance(waits, WithoutWaits)
