"""checkpoint-candidate: silent cases first, then bytes against time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.costs import OpCost
from perfkit.model.memory import Held, Memory, StepMemory
from perfkit.model.run import Run
from perfkit.rules.checkpoint_candidate import checkpoint_candidate
from tests.analysis.test_memory_holders import at
from tests.cost_rows import GPU, row
from tests.draw import US, draw
from tests.kineto_traces import document, span, write
from tests.rules.test_peak_memory_cause import HERE, MIB

CHEAP = (row(us=20, module="Net.0", phase="forward"), row(us=20, module="Net.1", phase="forward"))


def run(
    blocks: tuple[int, ...] = (100, 100, 100),
    others: int = 100,
    trained: bool = True,
    costs: tuple[OpCost, ...] = CHEAP,
) -> Run:
    """A step of 400 µs; sizes in MiB."""
    held = [
        Held("saved for backward", size * MIB, 1, "aten::mm", f"Net.{i}", HERE, f"Net.{i}")
        for i, size in enumerate(blocks)
    ]
    held.append(Held("parameters", others * MIB, 1))
    peak = sum(each.nbytes for each in held)
    memory = Memory(StepMemory(peak, held=tuple(held), trained=trained))
    about = {"device": "pretend-cuda", "memory": memory, "costs": costs, "peaks": GPU}
    return draw(f"step  {'b' * 400}", costed_steps=1, **about)


def test_abstains_where_nobody_looked_or_nobody_trains() -> None:
    with pytest.raises(NotApplicable, match="nobody recorded"):
        checkpoint_candidate(Run("r"))
    with pytest.raises(NotApplicable, match="no backward"):
        checkpoint_candidate(run(trained=False))
    with pytest.raises(NotApplicable, match="no repeated blocks"):
        checkpoint_candidate(run((400,)))


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"blocks": (50, 50, 50), "others": 50}, "a small peak"),
        ({"blocks": (100, 100), "others": 400}, "something else is the peak"),
        ({"blocks": (250, 10), "others": 40}, "one block holds nearly all of it"),
        ({"costs": (row(us=3000, module="Net.0", phase="forward"),)}, "computing again is dear"),
    ],
)
def test_silent(about: dict[str, object], why: str) -> None:
    drawn = replace(run(**about), device="cuda") if "dear" in why else run(**about)  # type: ignore[arg-type]
    assert checkpoint_candidate(drawn).findings == (), why


def test_bytes_freed_are_told_with_the_time_they_cost() -> None:
    drawn = replace(run(), device="cuda")  # where the step's own time is the measure
    (finding,) = checkpoint_candidate(drawn).findings
    assert finding.title == (
        f"Checkpointing the 3 blocks of Net would free 200 MiB of 400 MiB, for 40 µs more per step "
        f"(10% on {GPU.device})"
    )
    assert (finding.saving, finding.rewrite) == (None, "checkpointed_block")
    assert (finding.place, finding.confidence) == (HERE, "low")
    assert finding.evidence["extra_ns"] == 40 * US


def test_without_costs_the_time_is_unknown_and_not_nothing() -> None:
    (finding,) = checkpoint_candidate(run(costs=())).findings
    assert finding.evidence["extra_ns"] is None
    assert finding.title.endswith("would free 200 MiB of 400 MiB")


def test_a_trace_knows_no_blocks(tmp_path: Path) -> None:
    engine = span("cpu_op", "autograd::engine::evaluate_function: Mm", 300, 100)
    kept, gone = at(100, 1, 400 * MIB, 400 * MIB), at(310, 1, -400 * MIB, 0)
    events = read_trace(write(tmp_path / "t.json", document([engine, kept, gone])))
    with pytest.raises(NotObservable, match="names no paths"):
        checkpoint_candidate(Run("r", events=events, source="trace"))
