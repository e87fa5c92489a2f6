"""cuda-graph-candidate: only steps bound by launches, that wait nowhere and always launch the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.run import OpStat, Run
from perfkit.rules.cuda_graph_candidate import FIX, cuda_graph_candidate
from perfkit.rules.launch_bound_step import launch_bound_step
from perfkit.rules.python_bound_step import python_bound_step
from tests.cost_rows import GPU, row
from tests.draw import US, draw, item
from tests.trace_pictures import trace

STEADY = """
    step  sssssss.sssssss
    op    .a.b....a.b.... a=aten::mm b=aten::add
"""


def run(traced: str | None = STEADY, launches: float = 400.0, sync: str = "") -> Run:
    """A step under the pretence that launches much of little, in deep steps 1 and 2."""
    drawn = draw(
        f"step  bbb.ddd.ddd\nsync  ....{sync}" if sync else "step  bbb.ddd.ddd", i=item(),
        device="pretend-cuda", costs=(row(us=1),), costed_steps=1, launches_per_step=launches,
    )  # fmt: skip
    return drawn if traced is None else replace(drawn, events=trace(traced))


def test_not_applicable_where_launches_do_not_limit_the_step() -> None:
    with pytest.raises(NotApplicable, match="do not limit"):
        cuda_graph_candidate(run(launches=99.0))


def test_not_applicable_while_anything_waits_inside() -> None:
    with pytest.raises(NotApplicable, match=r"1 wait per step \(model.py:88\) must go first"):
        cuda_graph_candidate(run(sync="i...i"))


def test_not_observable_where_steps_cannot_be_compared() -> None:
    with pytest.raises(NotObservable, match="no trace"):
        cuda_graph_candidate(run(None))


def test_silent_where_steps_launch_differently() -> None:
    looked = cuda_graph_candidate(run(STEADY.replace("a.b....a.b....", "a.b....b.a....")))
    assert looked.findings == ()
    assert looked.at.startswith("bound by launches, but steps launch differently")


def measured(**about: Any) -> Run:
    """The same step on a GPU that was seen to idle."""
    ops = (OpStat("k", "device", 1, 100 * US, 100 * US),)
    drawn = draw(
        f"step  {'b' * 1000}.{'l' * 1000}.ddd.ddd", device="cuda", peaks=GPU, costs=(row(us=10.0),),
        costed_steps=1, launches_per_step=162.0, ops=ops, **about,
    )  # fmt: skip
    return replace(drawn, events=trace(STEADY))


def test_a_prediction_saves_nothing_as_sizes_are_those_of_a_cpu() -> None:
    (finding,) = cuda_graph_candidate(run()).findings
    assert (finding.saving, finding.evidence["step"]) == (None, "predicted")


def test_a_candidate_has_the_saving() -> None:
    (finding,) = cuda_graph_candidate(measured()).findings
    assert finding.saving is not None
    assert finding.saving.likely_ns == 400 * US
    (bound,) = launch_bound_step(measured()).findings
    assert bound.saving is None
    assert bound.evidence["part_of"] == "cuda-graph-candidate"
    (small,) = python_bound_step(measured()).findings
    assert small.saving is None
    assert small.evidence["part_of"] == "launch-bound-step"


def test_a_candidate_says_what_was_not_checked() -> None:
    (finding,) = cuda_graph_candidate(run()).findings
    assert finding.title == (
        "The step repeats the same 400 launches without a wait: a CUDA graph can replay them"
    )
    assert finding.rewrite == "cuda_graph_step"
    assert finding.fix == FIX
    assert finding.evidence["not_checked"] == "shapes of operators were not recorded"
    assert finding.confidence == "low"
