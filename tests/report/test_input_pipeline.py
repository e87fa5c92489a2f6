"""The input pipeline: silent without loading, else what waits for it and the rules about it."""

from __future__ import annotations

from perfkit.analysis.trace_run import trace_run
from perfkit.model.diagnosis import Coverage, Diagnosis, Outcome, Verdict
from perfkit.report.blocks import Facts, Grid
from perfkit.report.sections.input_pipeline import section
from perfkit.rules import _engine, diagnose
from tests.trace_pictures import trace


def _bare(*outcomes: Outcome) -> Diagnosis:
    return Diagnosis("x", Verdict("a", "b", "c"), Coverage(0, "x"), outcomes)


def test_nothing_that_loads_is_no_section() -> None:
    assert section(_bare()) is None
    assert section(_bare(Outcome("input-bound", "not-applicable", "no loader"))) is None
    assert section(_bare(Outcome("unpinned-copy", "clear", "2 steps"))) is None


def test_a_rule_that_looked_is_told_with_its_reason() -> None:
    block = section(_bare(Outcome("input-bound", "clear", "3% of 1 s")))
    assert block is not None
    (grid,) = block.parts
    assert isinstance(grid, Grid)
    assert [cell.text for cell in grid.rows[0]] == ["input-bound", "clear", "3% of 1 s"]
    assert grid.rows[0][0].anchor == "input-bound"


def test_time_in_the_loader_is_a_share_of_the_step() -> None:
    picture = """
        step  ssssssssss.ssssssssss
        note  lllll......lll....... l=enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__
        op    .....aaaaa....aaaaaaa a=aten::mm
    """
    block = section(diagnose(trace_run(trace(picture), "drawn"), _engine.outcome))
    assert block is not None
    facts = block.parts[0]
    assert isinstance(facts, Facts)
    assert dict(facts.pairs) == {"the host loads data": "4 µs, 40% of the step", "at most": "5 µs"}
