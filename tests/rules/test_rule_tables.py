"""Tables behind single rules: absent where there is nothing to tell, never empty."""

from __future__ import annotations

from pathlib import Path

from perfkit.analysis.trace_run import trace_run
from perfkit.model.run import Run
from perfkit.rules._rule_tables import rule_tables
from tests.analysis.test_gradient_buckets import one_rank
from tests.analysis.test_loading import loader
from tests.draw import draw
from tests.rules import test_recompilation as compiled
from tests.rules.test_peak_memory_cause import run as remembered
from tests.rules.test_peak_memory_cause import saved
from tests.sample_runs import ctr_run, hostile_run, lens_run
from tests.trace_pictures import trace


def test_an_empty_run_has_none() -> None:
    assert rule_tables(Run("empty")) == {}


def test_none_is_empty() -> None:
    for run in (ctr_run(), lens_run(), hostile_run()):
        assert all(table.rows for table in rule_tables(run).values())


def test_what_was_recorded_beside_a_trace_is_told() -> None:
    assert set(rule_tables(draw("step  bbbb", loaders=(loader((0, 1)),)))) == {"loaders"}
    assert set(rule_tables(remembered(saved(5)))) == {"peak_memory"}
    made = compiled.run(compiled.made(0, 0))
    assert set(rule_tables(made)) == {"compiled_code"}


def test_steps_with_launches_are_told_one_by_one() -> None:
    picture = """
        step  ssssssssss.ssssssssss
        call  l..l.......l..l......   l=cudaLaunchKernel
        gpu   .k...k......k...k....   k=gemm
    """
    tables = rule_tables(trace_run(trace(picture, launch={0: 0, 1: 1, 2: 2, 3: 3}), "drawn"))
    assert {"starved_queue", "launch_order"} <= set(tables)
    assert [row["launches"] for row in tables["launch_order"].records()] == [2, 2]


def test_collectives_that_could_be_joined_are_told(tmp_path: Path) -> None:
    (row,) = rule_tables(trace_run(one_rank(tmp_path, 20), "x"))["gradient_buckets"].records()
    assert (row["kind"], row["small"]) == ("all_reduce", 20)
