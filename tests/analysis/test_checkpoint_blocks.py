"""Blocks by what they save."""

from __future__ import annotations

import pytest

from perfkit.analysis.checkpoint_blocks import checkpoint_blocks
from perfkit.model.memory import Category, Held, StepMemory
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from tests.cost_rows import GPU, row
from tests.draw import US, draw

HERE = Frame("/p/model.py", 7, "forward")
SAVED: Category = "saved for backward"


def saved(module: str | None, nbytes: int = 8, maker: str | None = None) -> Held:
    return Held(SAVED, nbytes, 1, "aten::mm", module, HERE, maker or module)


def step(*held: Held) -> StepMemory:
    return StepMemory(sum(each.nbytes for each in held), held=held)


@pytest.mark.parametrize(
    ("held", "why"),
    [
        ((saved("Net.head"), saved(None)), "no list of modules"),
        ((saved("Net.blocks.0"),), "a single block"),
        ((Held("temporaries", 8, 1, "", "Net.0"), saved("Net.1")), "nobody saved it"),
        ((saved("Net.0.a", maker="Net.1"), saved("Net.1")), "it is the input of the block"),
        ((saved("Net.0.a", maker="Net.01"), saved("Net.1")), "another name that begins alike"),
    ],
)
def test_silent(held: tuple[Held, ...], why: str) -> None:
    assert checkpoint_blocks(Run("r"), step(*held)) == (), why


def test_one_block_at_a_time_is_still_there() -> None:
    held = saved("Net.blocks.0.a", 8), saved("Net.blocks.0.b.2", 4), saved("Net.blocks.1", 9)
    (found,) = checkpoint_blocks(Run("r"), step(*held))
    assert (found.family, found.saved) == (
        "Net.blocks",
        {"Net.blocks.0": 12, "Net.blocks.1": 9},
    )
    assert (found.saved_bytes, found.freed_bytes) == (21, 9)
    assert (found.place, found.extra_ns) == (HERE, None)


def test_the_extra_time_is_the_floor_of_the_forward_of_the_blocks() -> None:
    costs = (
        row(us=10, module="Net.0.a", phase="forward"),
        row(us=30, module="Net.1", phase="forward"),
        row(us=70, module="Net.0.a", phase="backward"),
        row(us=70, module="Net.head", phase="forward"),
    )
    run = draw(f"step  {'b' * 400}", device="cuda", peaks=GPU, costs=costs, costed_steps=2)
    (found,) = checkpoint_blocks(run, step(saved("Net.0"), saved("Net.1")))
    assert found.extra_ns == pytest.approx(20 * US)
    assert (found.step_ns, found.device) == (400 * US, GPU.device)
