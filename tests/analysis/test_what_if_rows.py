"""The default questions: which are asked of a trace, of which rows, and in what order they answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfkit.analysis import what_if_rows as rows_module
from perfkit.analysis.trace_reading import trace_reading
from perfkit.analysis.what_if import Captured, HostFaster, WithoutWaits
from perfkit.analysis.what_if_rows import Question, launch_rows, questions, wait_rows, what_if_rows
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.events import Events
from tests.kineto_traces import needs_corpus
from tests.timelines import Simulator, as_events
from tests.trace_pictures import trace


def asked(events: Events) -> tuple[Question, ...]:
    reading = trace_reading(events)
    return questions(reading.graph, reading.waits)


def names(events: Events) -> list[str]:
    return [question.what for question in asked(events)]


READS = """
    step  ssssssssssssssssss
    py    pppppppppppppppppp p=train.py(3):~loop
    op    .aaaaaa..bbbbbbb.. a=aten::item b=aten::nonzero
    call  l..www..l...www... l=cudaLaunchKernel w=cudaStreamSynchronize
    gpu   .kkkkk.....kkk.... k=gemm
"""


def test_a_step_without_waits_copies_or_loading_is_not_asked_about_them() -> None:
    events = trace("step ssssssss\ncall ll...... l=cudaLaunchKernel\ngpu  ..kkkk.. k=gemm")
    assert names(events) == ["host 2x faster", "kernel 2x faster"]


def test_one_place_that_waits_is_one_question() -> None:
    events = trace("""
        step  sssssssss
        op    .aaaaaa.. a=aten::item
        call  l..www... l=cudaLaunchKernel w=cudaStreamSynchronize
        gpu   .kkkkk... k=gemm
    """)
    assert names(events)[0] == "without waits"
    assert "no waits" not in names(events)


def test_two_places_are_asked_about_jointly_and_alone() -> None:
    found = asked(trace(READS))
    sites = [question for question in found if question.what == "without waits"]
    assert {site.name for site in sites} == {"aten::item", "aten::nonzero"}
    assert {str(site.place) for site in sites} == {"train.py:3"}
    (joint,) = [question for question in found if question.what == "no waits"]
    every = [row for site in sites for edit in site.edits for row in _rows(edit)]
    assert sorted(every) == sorted(_rows(joint.edits[0]))


def _rows(edit: object) -> tuple[int, ...]:
    assert isinstance(edit, WithoutWaits)
    return edit.rows


def test_an_operator_that_copies_and_waits_is_both_waits() -> None:
    machine = Simulator()
    machine.kernel(4, 80)
    machine.read()
    machine.step(0)
    reading = trace_reading(as_events(machine.rows))
    found = wait_rows(reading.graph, reading.waits)
    events = reading.graph.graph.events
    assert [events.name_of(row) for row in found] == ["cudaMemcpyAsync", "cudaStreamSynchronize"]


def test_each_step_is_captured_apart() -> None:
    machine = Simulator()
    for _ in range(3):
        begin = machine.now
        for _ in range(12):
            machine.kernel(4, 8)
        machine.wait()
        machine.step(begin)
    events = as_events(machine.rows)
    found = trace_reading(events).graph
    assert [len(rows) for rows in launch_rows(found)] == [13, 13, 13]
    (capture,) = [q for q in asked(events) if q.what == "one CUDA graph per step"]
    assert [type(edit) for edit in capture.edits] == [Captured] * 3


def test_loading_is_taken_away_whole() -> None:
    events = trace("""
        step  ssssssssssssssssssss
        note  dddddddddd.......... d=enumerate(DataLoader)#It.__next__
        call  ..........l......... l=cudaLaunchKernel
        gpu   ...........kkkkkkkkk k=g
    """)
    (loading,) = [q for q in asked(events) if q.what == "loading in the background"]
    (edit,) = loading.edits
    assert isinstance(edit, HostFaster)
    found = trace_reading(events).graph
    assert found.predict(loading.edits).saving.likely_ns == 10_000


def test_a_large_graph_is_asked_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "_MOST_VISITS", 1)
    assert len(asked(trace(READS))) == 3


def test_answers_come_with_the_largest_gain_first() -> None:
    reading = trace_reading(trace(READS))
    table = what_if_rows(reading.graph, questions(reading.graph, reading.waits))
    records = table.records()
    likely = [float(row["likely_ns"] or 0) for row in records]
    assert likely == sorted(likely)
    assert {row["before_ns"] for row in records} == {18_000}
    item = next(row for row in records if row["name"] == "aten::item")
    assert (item["file"], item["line"], item["function"]) == ("train.py", 3, "loop")


@needs_corpus()
def test_answers_on_real_traces_are_ordered(trace: Path) -> None:
    reading = trace_reading(read_trace(trace))
    try:
        found = reading.graph
    except NotObservable:
        assert trace.name == "cpu_only.json.gz"
        return
    if found.withheld is not None:
        assert trace.name.startswith("sglang")
        return
    every = questions(found, reading.waits)
    assert every
    for row in what_if_rows(found, every).records():
        low, likely, high, now = (row[f"{n}_ns"] for n in ("low", "likely", "high", "before"))
        assert 0 <= low <= likely <= high <= now  # type: ignore[operator]
