"""Whether memory grows from step to step."""

from __future__ import annotations

import pytest

from perfkit.analysis.memory_growth import memory_growth
from perfkit.base.errors import NotObservable
from perfkit.model.memory import Memory
from tests.draw import draw


def _grown(*after: int) -> int:
    steps = ".".join("b" * len(after))
    pairs = tuple(enumerate(after, start=1))
    return memory_growth(draw(f"step  w.{steps}", memory=Memory(after=((0, 999), *pairs)))).per_step


def test_too_few_steps_tell_nothing() -> None:
    with pytest.raises(NotObservable, match="after 4 steps"):
        _grown(1, 2, 3, 4)
    with pytest.raises(NotObservable, match="after 0 steps"):
        memory_growth(draw("step  b.b"))


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ((7, 7, 7, 7, 7, 7), "nothing changes"),
        ((7, 9, 7, 9, 7, 9), "batches differ"),
        ((3, 9, 15, 9, 15, 21), "goes down in between, twice nothing new"),
        ((9, 8, 7, 6, 5), "it shrinks"),
        ((1, 1, 1, 50, 50, 50), "one cache is filled once"),
    ],
)
def test_does_not_grow(after: tuple[int, ...], why: str) -> None:
    if why.startswith("goes down"):
        after = (*after, 9, 15)
    assert _grown(*after) == 0, why


def test_growth_is_the_typical_difference_and_one_odd_step_does_not_hide_it() -> None:
    assert _grown(10, 20, 30, 40, 50) == 10
    assert _grown(10, 20, 30, 31, 41, 51) == 10
