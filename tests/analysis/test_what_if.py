"""What-if: nothing gets slower, ranges are ordered, and simulated programs are predicted exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.analysis.dependency_graph import DependencyGraph, NodeKind, dependency_graph
from perfkit.analysis.step_noise import step_noise
from perfkit.analysis.what_if import (
    Captured,
    Edit,
    Faster,
    Fused,
    HostFaster,
    Overlapped,
    Prediction,
    WithoutWaits,
    saving_without_sync,
    what_if,
)
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.diagnosis import Saving
from tests.analysis.test_dependency_graph import PROGRAMS
from tests.kineto_traces import needs_corpus
from tests.timelines import US, Command, Row, as_events, drawn, simulate

READ = simulate([("kernel", 2, 50), ("read", 0, 0), ("python", 40, 0), ("kernel", 2, 50)])


def graph_of(host: str, **lanes: str) -> DependencyGraph:
    events = drawn(host, steps="a" * len(host), **lanes)
    return dependency_graph(events, events.steps())


def simulated(program: list[Command]) -> DependencyGraph:
    events = as_events(simulate(program).rows)
    return dependency_graph(events, events.steps())


def varying() -> DependencyGraph:
    """Three steps of 32, 34 and 36 µs, as long on the host as on the device."""
    picture = {"a": 30, "b": 32, "c": 34}
    steps = "".join(name * (us + 2) for name, us in picture.items())
    host = "".join("L" + "." * (us + 1) for us in picture.values())
    work = "".join("." + "k" * us + "." for us in picture.values())
    events = drawn(host, steps=steps, s7=work)
    return dependency_graph(events, events.steps())


def rows(graph: DependencyGraph, kind: NodeKind) -> tuple[int, ...]:
    return tuple(sorted(graph.nodes.row[graph.nodes.kind == kind].tolist()))


def named(graph: DependencyGraph, name: str) -> tuple[int, ...]:
    return tuple(np.flatnonzero(graph.events.named((name,))).tolist())


def microseconds(found: Prediction) -> tuple[int, int, int, int]:
    found.self_check()
    times = (found.before_ns, found.low_ns, found.likely_ns, found.high_ns)
    before, low, likely, high = (ns // US for ns in times)
    return before, low, likely, high


# What changes nothing.


def test_no_edit_saves_nothing() -> None:
    graph = simulated([("kernel", 2, 30), ("wait", 0, 0)] * 3)
    full_queue = simulated([("kernel", 1, 3)] * 1600 + [("python", 10_000, 0)])
    assert what_if(full_queue, ()).saving == Saving(0, 0, 0, "what-if")
    assert what_if(graph, ()).saving == Saving(0, 0, 0, "what-if")


def test_rows_that_are_no_waits_save_nothing() -> None:
    graph = simulated([("kernel", 2, 30), ("wait", 0, 0), ("op", 4, 0)])
    edit = WithoutWaits((*rows(graph, NodeKind.KERNEL), *named(graph, "aten::op")))
    assert what_if(graph, [edit]).saving.high_ns == 0


def test_a_wait_before_nothing_saves_only_its_call_where_the_device_decides() -> None:
    graph = simulated([("kernel", 2, 100), ("wait", 0, 0)])
    found = saving_without_sync(graph, graph.wait_rows())
    assert found == Saving(5 * US, 5 * US, 5 * US, "what-if")  # the return from the wait


def test_a_faster_kernel_in_the_shadow_of_the_host_saves_nothing() -> None:
    graph = graph_of("oLL....................", s7=".....kkkk")
    assert what_if(graph, [Faster(rows(graph, NodeKind.KERNEL), 4)]).saving.high_ns == 0


def test_work_cannot_be_made_slower() -> None:
    graph = simulated([("kernel", 2, 30)])
    with pytest.raises(ValueError, match="slower"):
        what_if(graph, [Faster(rows(graph, NodeKind.KERNEL), 0.5)])


@pytest.mark.parametrize("times", [0.5, 0, float("nan")])
def test_the_host_cannot_be_made_slower(times: float) -> None:
    with pytest.raises(ValueError, match="slower"):
        what_if(simulated([("kernel", 2, 30)]), [HostFaster(times)])


def test_a_faster_host_saves_nothing_where_the_device_decides() -> None:
    graph = simulated([("kernel", 2, 100), ("kernel", 2, 100), ("kernel", 2, 100)])
    assert what_if(graph, [HostFaster(2)]).saving.high_ns == 0


def test_noise_of_the_steps_is_no_gain() -> None:
    graph = varying()
    assert step_noise(graph)
    assert what_if(graph, ()).saving.high_ns == 0


# What saves.


def test_noise_of_the_steps_widens_the_range_to_both_sides() -> None:
    graph = varying()
    noise = step_noise(graph)
    found = what_if(graph, [Faster(rows(graph, NodeKind.KERNEL), 2), HostFaster(2)])
    assert noise is not None and found.noise_ns == noise
    assert found.likely_ns - found.low_ns >= noise
    assert found.high_ns - found.likely_ns >= noise


def test_a_faster_host_saves_python_operators_and_launches_but_no_wait() -> None:
    graph = simulated([("python", 20, 0), ("op", 40, 0), ("kernel", 2, 50), ("wait", 0, 0)])
    assert what_if(graph, [HostFaster(2)]).saving == Saving(30 * US, 30 * US, 30 * US, "what-if")


def test_only_what_lies_in_the_rows_is_faster() -> None:
    graph = simulated([("op", 40, 0), ("python", 60, 0), ("kernel", 2, 5)])
    found = what_if(graph, [HostFaster(float("inf"), named(graph, "aten::op"))])
    assert found.saving.likely_ns == 40 * US


def test_a_captured_wait_is_gone() -> None:
    program: list[Command] = [("kernel", 10, 3), ("wait", 0, 0), ("python", 50, 0)]
    graph = simulated([*program, ("kernel", 10, 3), ("python", 40, 0)])
    calls = (*rows(graph, NodeKind.LAUNCH), *rows(graph, NodeKind.WAIT))
    # of 2 calls, a wait, 50 µs between and 40 µs after: one call of at most 10 µs and the 40 µs
    assert what_if(graph, [Captured(calls)]).likely_ns == 50 * US


def test_no_graph_takes_over_the_loading_of_data() -> None:
    loader = Row("user_annotation", "enumerate(DataLoader)#It.__next__", 12, 30, 1)
    machine = simulate([("kernel", 10, 3), ("python", 40, 0), ("kernel", 10, 3)])
    events = as_events([*machine.rows, loader])
    graph = dependency_graph(events, events.steps())
    found = what_if(graph, [Captured(rows(graph, NodeKind.LAUNCH))])
    # one call of 10 µs, 30 µs of loading, and the second kernel ends 8 µs later
    assert (found.before_ns, found.likely_ns) == (60 * US, 48 * US)


def test_without_the_wait_python_runs_beside_the_device() -> None:
    graph = simulated([("kernel", 2, 50), ("wait", 0, 0), ("python", 40, 0), ("kernel", 2, 50)])
    # before: 55 + 5 + 40 + 5 + 50; after: the second kernel follows the first after a gap of 1
    assert microseconds(what_if(graph, [WithoutWaits(rows(graph, NodeKind.WAIT))])) == (
        155,
        106,
        106,
        106,
    )


def test_an_operator_stands_for_all_waits_inside_it() -> None:
    graph = simulated([("kernel", 2, 50), ("read", 0, 0), ("python", 40, 0)])
    whole = saving_without_sync(graph, named(graph, "aten::item"))
    assert whole == saving_without_sync(graph, graph.wait_rows())
    assert whole.low_ns > saving_without_sync(graph, graph.wait_rows()[1:]).low_ns


def test_a_number_that_is_not_read_leaves_neither_its_operator_nor_its_copy() -> None:
    graph = simulated([("kernel", 2, 50), ("read", 0, 0), ("python", 40, 0), ("kernel", 2, 50)])
    found = what_if(graph, [WithoutWaits(named(graph, "aten::item"))])
    assert microseconds(found) == (160, 106, 106, 109)  # 5 + 50 + 1 + 50; cautious: the copy stays


def test_a_read_of_another_kind_keeps_its_copy_unless_all_is_well() -> None:
    events = as_events([replace(row, name=row.name.replace("item", "to")) for row in READ.rows])
    graph = dependency_graph(events, events.steps())
    found = what_if(graph, [WithoutWaits(named(graph, "aten::to"))])
    assert microseconds(found) == (160, 106, 109, 109)


def test_fused_operators_cost_the_host_one_of_them() -> None:
    graph = graph_of("ooLL....ooLL....ooLL", s7="....k.......k.......k")
    found = what_if(graph, [Fused(named(graph, "aten::op"))])
    assert (
        microseconds(found)[3] == 15
    )  # cautious: 4 of the first, 2 * 4 of Python, 2 + 1 to the end


def test_captured_operators_are_not_called() -> None:
    graph = graph_of("oooooooooooooooLLoooooooooooooooLL.", s7=f"{'.' * 18}k{'.' * 15}k")
    found = what_if(graph, [Captured(named(graph, "aten::op"))])
    assert microseconds(found)[2] < 10


def test_a_faster_kernel_saves_its_part_where_the_device_decides() -> None:
    graph = simulated([("kernel", 2, 100), ("wait", 0, 0)])
    found = what_if(graph, [Faster(rows(graph, NodeKind.KERNEL), 2)])
    assert found.saving == Saving(50 * US, 50 * US, 50 * US, "what-if")


def test_a_faster_operator_takes_its_host_time_along() -> None:
    graph = simulated([("op", 40, 0), ("kernel", 2, 5), ("python", 60, 0)])
    found = what_if(graph, [Faster(named(graph, "aten::op"), 4)])
    assert found.saving.likely_ns == 30 * US


def test_fused_launches_cost_one_call() -> None:
    graph = simulated([("kernel", 6, 3)] * 10 + [("python", 40, 0)])
    found = what_if(graph, [Fused(rows(graph, NodeKind.LAUNCH))])
    assert found.saving == Saving(54 * US, 54 * US, 54 * US, "what-if")


def test_fused_operators_lose_the_host_time_between_them_unless_one_is_cautious() -> None:
    graph = simulated([("kernel", 6, 3), ("python", 10, 0)] * 5 + [("python", 40, 0)])
    found = what_if(graph, [Fused(rows(graph, NodeKind.LAUNCH))]).saving
    assert (found.low_ns, found.likely_ns) == (24 * US, 64 * US)


def test_captured_launches_cost_one_graph_launch() -> None:
    graph = simulated([("kernel", 30, 3), ("python", 10, 0)] * 5 + [("python", 40, 0)])
    found = what_if(graph, [Captured(rows(graph, NodeKind.LAUNCH))]).saving
    # four calls and the host time between the five; of the first call 20, 10 or 5 µs stay
    assert found == Saving(170 * US, 180 * US, 185 * US, "what-if")


def test_an_overlapped_copy_leaves_the_stream() -> None:
    graph = graph_of("oLCL.....", s7="......kkkkkkkkkk.cccccccccccccccc.kkkkkkkkkk")
    found = what_if(graph, [Overlapped(rows(graph, NodeKind.COPY))])
    # cautious: as before; likely: the copy runs beside the first kernel; bold: nobody needs it
    assert microseconds(found) == (44, 27, 34, 44)
    assert found.saving.low_ns == 0


def test_an_overlapped_copy_no_longer_blocks_the_host() -> None:
    graph = graph_of("oPPPPPPPPPPPPPPPPPP....................", s7="......ppppppppp")
    found = what_if(graph, [Overlapped(rows(graph, NodeKind.WAIT))])
    assert found.saving.likely_ns == 16 * US


def test_the_host_runs_ahead_no_further_than_the_queue_is_deep() -> None:
    program: list[Command] = [("kernel", 1, 3), ("wait", 0, 0), *[("kernel", 1, 3)] * 1500]
    program += [("python", 10_000, 0)]
    graph = simulated(program)
    found = what_if(graph, [WithoutWaits(rows(graph, NodeKind.WAIT))])
    truth = simulate(program, waits=False).span * US
    assert found.likely_ns == truth
    assert truth == 11_912 * US  # 1 501 launches and 10 000 µs of Python, were the queue endless


def test_two_waits_together_are_not_the_sum_of_each() -> None:
    """Both waits hide behind one kernel: the second only matters when the first is gone."""
    program = [("kernel", 2, 100), ("wait", 0, 0), ("python", 10, 0), ("kernel", 2, 5)]
    graph = simulated([*program, ("wait", 0, 0), ("python", 50, 0), ("kernel", 2, 5)])
    waits = rows(graph, NodeKind.WAIT)
    alone = [what_if(graph, [WithoutWaits((row,))]).saving.likely_ns for row in waits]
    together = what_if(graph, [WithoutWaits((row,)) for row in waits]).saving.likely_ns
    assert together == what_if(graph, [WithoutWaits(waits)]).saving.likely_ns
    assert together != sum(alone)


def test_a_saving_is_per_step() -> None:
    one = [("kernel", 2, 50), ("wait", 0, 0), ("python", 40, 0)]
    machine = simulate(one * 4)
    machine.rows = [row for row in machine.rows if row.category != "user_annotation"]
    for begin in range(4):
        machine.now = 102 * (begin + 1)
        machine.step(102 * begin)
    events = as_events(machine.rows)
    graph = dependency_graph(events, events.steps())
    assert graph.steps == 4
    assert what_if(graph, ()).before_ns == round(graph.span_ns / 4)


# Laws.


@settings(deadline=None)
@given(PROGRAMS)
def test_a_simulated_program_without_its_waits_is_predicted_exactly(program: list[Command]) -> None:
    graph = simulated(program)
    found = what_if(graph, [WithoutWaits(tuple(graph.wait_rows().tolist()))])
    found.self_check()
    truth = simulate(program, waits=False).span * US
    assert found.low_ns <= truth <= found.high_ns
    if graph.calibration.error == 0:
        assert found.likely_ns == truth


@settings(deadline=None)
@given(PROGRAMS, st.data())
def test_removing_more_waits_never_makes_it_slower(
    program: list[Command], data: st.DataObject
) -> None:
    graph = simulated(program)
    waits = graph.wait_rows().tolist()
    some = data.draw(st.sets(st.sampled_from(waits))) if waits else set()
    more = some | (data.draw(st.sets(st.sampled_from(waits))) if waits else set())
    fewer, many = (saving_without_sync(graph, sorted(chosen)) for chosen in (some, more))
    assert many.low_ns >= fewer.low_ns
    assert many.likely_ns >= fewer.likely_ns
    assert many.high_ns >= fewer.high_ns


@settings(deadline=None)
@given(PROGRAMS, st.data())
def test_no_edit_makes_it_slower(program: list[Command], data: st.DataObject) -> None:
    graph = simulated(program)
    every = st.sets(st.sampled_from(range(len(graph.events)))).map(lambda s: tuple(sorted(s)))
    kinds: tuple[type[Edit], ...] = (WithoutWaits, Fused, Overlapped, Captured)
    edits: list[Edit] = [kind(data.draw(every)) for kind in kinds]
    edits.append(Faster(data.draw(every), data.draw(st.floats(1, 10))))
    edits.append(HostFaster(data.draw(st.floats(1, 10)), data.draw(st.none() | every)))
    for chosen in ([edit] for edit in edits):
        what_if(graph, chosen).self_check()
    what_if(graph, edits).self_check()


@needs_corpus()
def test_real_traces_never_get_slower_by_an_edit(trace) -> None:
    events = read_trace(trace)
    try:
        graph = dependency_graph(events, events.steps()[:1])
    except NotObservable:
        assert trace.name == "cpu_only.json.gz"
        return
    launches, copies = rows(graph, NodeKind.LAUNCH), rows(graph, NodeKind.COPY)
    waits = tuple(graph.wait_rows().tolist())
    edits = [WithoutWaits(waits), Captured(launches), Fused(launches[:50]), Overlapped(copies)]
    for edit in edits:
        what_if(graph, [edit]).self_check()
    what_if(graph, edits).self_check()
