"""gradient-not-freed: silent cases first, then each of the four."""

from __future__ import annotations

import linecache
from dataclasses import replace
from typing import Any

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.model.memory import Held, Memory, StepMemory
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from perfkit.rules.gradient_not_freed import gradient_not_freed
from tests.cost_rows import row
from tests.draw import draw

MIB = 1 << 20
LOOP = Frame("kept_loop.py", 3, "train")
HERE = Frame("/p/model.py", 88, "forward")


def run(after: tuple[int, ...] = (), peak: int = 100, **step: Any) -> Run:
    """Sizes in MiB."""
    about = {"trained": True, "held": (Held("parameters", peak * MIB, 1),), **step}
    memory = Memory(
        StepMemory(peak * MIB, **about), tuple((i, n * MIB) for i, n in enumerate(after))
    )
    return draw(f"step  {'.'.join('b' * max(1, len(after)))}", device="pretend-cuda", memory=memory)


def found(drawn: Run) -> tuple[Finding, ...]:
    return gradient_not_freed(drawn).findings


def left(nbytes: int) -> tuple[Held, ...]:
    return (Held("saved for backward", nbytes * MIB, 3, "aten::mm", "Net.0", HERE),)


def zeroed(nbytes: int) -> tuple[Held, ...]:
    return (Held("gradients", nbytes * MIB, 10, "", None, LOOP),)


def test_abstains_where_nobody_looked() -> None:
    with pytest.raises(NotApplicable):
        gradient_not_freed(Run("r"))
    with pytest.raises(NotObservable, match="too few steps"):
        gradient_not_freed(Run("r", memory=Memory(after=((0, 1), (1, 2)))))


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({}, "nothing is kept"),
        ({"left": left(15), "zeroed": zeroed(15), "stale_bytes": 15 * MIB}, "little"),
        ({"left": left(16), "peak": 1000}, "a sliver of the peak"),
        ({"after": (50, 60, 50, 60, 50, 60)}, "batches differ in size"),
        ({"after": (50, 50, 50, 50, 50, 50)}, "memory stays as it is"),
    ],
)
def test_silent(about: dict[str, Any], why: str) -> None:
    assert found(run(**about)) == (), why


def test_gradients_in_zeros_cost_a_launch_each() -> None:
    (finding,) = found(run(zeroed=zeroed(20)))
    assert finding.title == "10 gradients, 20 MiB, are filled with zeros instead of let go"
    assert finding.place == LOOP
    assert finding.saving is not None
    saving = finding.saving
    assert (saving.low_ns, saving.likely_ns, saving.high_ns) == (0, 35_000, 100_000)


def test_many_small_gradients_in_zeros_are_told_for_their_launches() -> None:
    (finding,) = found(run(zeroed=(replace(zeroed(0)[0], tensors=32),)))
    assert finding.evidence == {"gradients": 32, "nbytes": 0}


def test_old_gradients_in_training_and_in_an_evaluation() -> None:
    (late,) = found(run(stale_bytes=20 * MIB, dropped_at=LOOP))
    assert late.title == (
        "20 MiB of old gradients lie in memory during the forward, until zero_grad lets them go"
    )
    assert (late.place, late.saving) == (LOOP, None)
    (idle,) = found(run(stale_bytes=20 * MIB, trained=False))
    assert idle.title.endswith("during a forward that nobody trains with")


def test_a_graph_that_outlives_its_step_or_never_has_a_backward() -> None:
    (kept,) = found(run(left=left(20)))
    assert kept.title == (
        "20 MiB of activations saved for the backward outlive their step, "
        "most by Net.0 at model.py:88"
    )
    assert "retain_graph" in kept.fix
    (unused,) = found(run(left=left(20), trained=False))
    assert "never comes" in unused.title
    assert "inference_mode" in unused.fix


def test_growth_takes_the_place_of_the_graph_that_it_keeps() -> None:
    (finding,) = found(run(after=(10, 30, 50, 70, 90), left=left(19)))
    assert finding.title == (
        "Memory in use grows by 20 MiB per step, of which 19 MiB were saved for a backward"
    )
    assert (finding.place, finding.confidence) == (HERE, "likely")
    assert finding.evidence["last_bytes"] == 90 * MIB


def test_growth_without_a_graph_is_told_with_little_confidence() -> None:
    (finding,) = found(run(after=(10, 12, 14, 16, 18)))
    assert finding.title == "Memory in use grows by 2 MiB per step"
    assert (finding.place, finding.confidence) == (None, "low")


def test_growth_is_placed_at_the_line_that_collects_the_loss() -> None:
    text = ["def train():\n", "    loss.backward()\n", "    losses.append(loss)\n"]
    linecache.cache["kept_loop.py"] = (1, None, text, "kept_loop.py")
    drawn = run(after=(10, 30, 50, 70, 90), left=left(19))
    (finding,) = found(replace(drawn, costs=(row(us=1, place=LOOP),)))
    assert finding.title == (
        "Memory in use grows by 20 MiB per step: kept_loop.py:3 keeps a result with its graph"
    )
    assert (finding.place, finding.confidence) == (LOOP, "certain")
