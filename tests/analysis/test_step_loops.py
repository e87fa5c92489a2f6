"""Loops around the step own nothing of it; loops in the step stay, also in one single script."""

from __future__ import annotations

from perfkit.analysis.step_loops import around_steps
from perfkit.analysis.sync_points import sync_points
from perfkit.model.syncs import Frame, Sync
from tests.draw import draw, item
from tests.seeded import at, seeded

SCRIPT = seeded(
    "/home/ada/single.py",
    """
    for moe in ("one", "all"):
        for batch in loader:
            for e in experts:
                rows = e(batch).item()
    """,
)
NESTED = seeded(
    "/home/ada/nested.py",
    """
    def run(moe):
        for x, y in data:
            out = model(x)
            seen = out.mean().item()

    def learn(loss):
        for pair in pairs:
            value = pair.item()
        optimizer.step()

    class Net:
        def forward(self, x):
            for expert in self.experts:
                rows = expert(x).nonzero()

    for moe in ({}, {"moe": "auto"}):
        run(moe)
    for loss in (first, second):
        learn(loss)
    """,
)


def _stack(file: str, *places: tuple[str, str]) -> tuple[Frame, ...]:
    return tuple(at(file, text, function) for text, function in places)


CALL = ("    run(moe)", "<module>")
ASKED = _stack(NESTED, ("rows = expert", "forward"), ("out = model", "run"), CALL)
LOGGED = _stack(NESTED, ("seen =", "run"), CALL)
PAIR = _stack(NESTED, ("value =", "learn"), ("    learn(loss)", "<module>"))
INLINE = _stack(SCRIPT, ("rows =", "<module>"))


def _around(marker: str, *stacks: tuple[tuple[Frame, ...], int]) -> set[str]:
    syncs: dict[str, Sync] = {"ijk"[n]: item(stack=s) for n, (s, _) in enumerate(stacks)}
    letters = "".join("ijk"[n] * times for n, (_, times) in enumerate(stacks))
    run = draw(f"step  {'d' * len(letters)}\nsync  {letters}", step_marker=marker, **syncs)
    return {loop.text for loop in around_steps(sync_points(run), marker)}


def test_nothing_is_around_where_nothing_tells_where_the_step_is() -> None:
    assert _around("DataLoader batch", (ASKED, 8)) == set()
    assert around_steps((), "whole program") == frozenset()


def test_stacks_that_do_not_reach_the_program_tell_nothing_by_being_alike() -> None:
    assert _around("DataLoader batch", (LOGGED[:1], 1)) == set()


def test_loops_in_the_step_are_not_around_it_though_every_wait_lies_in_them() -> None:
    assert "for e in experts" not in _around("DataLoader batch", (INLINE, 8))
    assert "for expert in self.experts" not in _around("forward of Net", (ASKED, 8))
    assert "for pair in pairs" not in _around("optimizer.step", (PAIR, 8))


def test_what_lies_further_out_than_the_loop_of_the_steps_is_around() -> None:
    assert _around("DataLoader batch", (INLINE, 8)) == {
        "for batch in loader",
        'for moe in ("one", "all")',
    }


def test_what_called_the_module_whose_forward_is_the_step_is_around() -> None:
    found = _around("forward of Net", (ASKED, 8))
    assert found == {"for x, y in data", 'for moe in ({}, {"moe": "auto"})'}


def test_what_called_the_function_that_ends_the_step_is_around() -> None:
    assert _around("optimizer.step", (PAIR, 8)) == {"for loss in (first, second)"}


def test_what_every_wait_shares_with_one_that_comes_once_per_step_turns_once() -> None:
    found = _around("DataLoader batch", (ASKED, 8), (LOGGED, 1))
    assert found == {"for x, y in data", 'for moe in ({}, {"moe": "auto"})'}


def test_a_loop_named_after_a_batch_that_not_every_wait_lies_in_is_no_loop_of_the_steps() -> None:
    file = seeded(
        "/home/ada/samples.py",
        """
        for pair in pairs:
            for row in batch:
                value = row.item()
        total = value.item()
        """,
    )
    value, total = (_stack(file, (t, "<module>")) for t in ("value = row", "total ="))
    assert _around("DataLoader batch", (value, 8), (total, 1)) == set()
    assert _around("DataLoader batch", (value, 8)) == set(), "it turns eight times in a step"
