"""The timeline's figure: one series per kind, every merged interval named as such."""

from __future__ import annotations

from perfkit.analysis.trace_run import trace_run
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.run import Run
from perfkit.model.table import Column, Table
from perfkit.report.blocks import Block, Figure, Text
from perfkit.report.sections.timeline import section
from perfkit.rules import _engine, diagnose
from tests.trace_pictures import trace

READ = diagnose(
    trace_run(
        trace("""
            step  ssssssssss.ssssssssss
            op    .aaaaaa.....aaaaaa... a=aten::item
            call  l..www.....l..www.... l=cudaLaunchKernel w=cudaStreamSynchronize
            gpu   .kkkkk......kkkkk.... k=<b>gemm</b>
        """),
        "drawn",
    ),
    _engine.outcome,
)


def _figure(diagnosis: Diagnosis) -> tuple[Block, Figure]:
    block = section(diagnosis)
    assert block is not None
    assert isinstance(block.parts[0], Figure)
    return block, block.parts[0]


def test_without_a_trace_it_is_silent() -> None:
    assert section(diagnose(Run("empty"), _engine.outcome)) is None


def test_one_series_per_kind_and_a_button_per_step() -> None:
    block, figure = _figure(READ)
    assert [s["name"] for s in figure.spec["data"]] == [
        "operators", "runtime calls", "waits", "compute",
    ]  # fmt: skip
    assert [(r.title, r.low, r.high) for r in figure.ranges] == [
        ("all", 0.0, 0.021), ("step 0", 0.0, 0.01), ("step 1", 0.011, 0.021),
    ]  # fmt: skip
    assert len(block.parts) == 1
    assert "waits: 2 events" in figure.summary


def test_names_are_no_markup_of_the_chart() -> None:
    (compute,) = [s for s in _figure(READ)[1].spec["data"] if s["name"] == "compute"]
    assert compute["customdata"][0] == "&lt;b&gt;gemm&lt;/b&gt;<br>5 µs"


def test_merged_intervals_are_faint_and_counted() -> None:
    columns = tuple(map(Column, READ.tables["timeline"].columns and (
        "lane", "kind", "name", "start_ns", "dur_ns", "count", "covered_ns"
    )))  # fmt: skip
    rows = (
        ("operators", "op", None, 0, 4_000, 30, 2_000),
        ("operators", "op", "a", 5_000, 10, 1, 10),
    )
    tables = {**READ.tables, "timeline": Table(columns, rows)}
    found = Diagnosis("x", READ.verdict, READ.coverage, tables=tables)
    block, figure = _figure(found)
    assert figure.spec["data"][0]["marker"]["opacity"] == [0.35, 1.0]
    assert figure.spec["data"][0]["customdata"][0] == "30 more within 4 µs<br>covering 2 µs of it"
    assert isinstance(block.parts[1], Text)
    assert block.parts[1].text.startswith("31 events are drawn as 2 marks: the shortest 30")
