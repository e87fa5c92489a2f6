"""What was alive sums to the peak."""

from __future__ import annotations

import pytest

from perfkit.model.memory import Held, StepMemory


def test_bytes_by_category_sum_to_the_peak() -> None:
    held = (Held("saved for backward", 5, 2), Held("parameters", 3, 1))
    step = StepMemory(8, held=held)
    step.self_check()
    assert (step.bytes_of("parameters"), step.bytes_of("inputs")) == (3, 0)


@pytest.mark.parametrize(
    "step",
    [
        StepMemory(9, held=(Held("inputs", 8, 1),)),
        StepMemory(8, held=(Held("inputs", 3, 1), Held("inputs", 5, 1))),
    ],
    ids=["another sum", "another order"],
)
def test_what_does_not_add_up_is_told(step: StepMemory) -> None:
    with pytest.raises(AssertionError):
        step.self_check()
