"""From births, deaths and saves to what was alive at the peak; one unit is one byte."""

from __future__ import annotations

from perfkit.capture._memory_log import (
    DIED,
    FREED,
    SAVED,
    Gradients,
    Log,
    Made,
    step_memory,
)
from perfkit.model.memory import Held, StepMemory
from perfkit.model.syncs import Frame

LINE = Frame("model.py", 8, "forward")


def told(log: Log, gradients: Gradients | None = None) -> StepMemory:
    found = step_memory(log, gradients or Gradients(), lambda place: place)
    assert found is not None
    found.self_check()
    return found


def forward(log: Log, nbytes: int, module: str = "Net.0", by: str | None = None) -> int:
    """Something made in a forward, and saved for the backward."""
    number = log.born(nbytes, Made("aten::mm", module, LINE, "forward"))
    log.saved_by[number] = Made("", by or module, LINE)
    log.events.append((SAVED, number))
    return number


def test_nothing_alive_is_no_step() -> None:
    assert step_memory(Log(), Gradients(), lambda place: None) is None


def test_the_peak_is_the_first_maximum_and_what_died_before_is_no_part_of_it() -> None:
    log = Log()
    first = log.born(4, Made("aten::exp", None, LINE, "forward"))
    log.events.append((DIED, first))
    second = log.born(6, Made("aten::mm", "Net.0", LINE, "forward"))
    log.events.append((DIED, second))
    log.born(6, Made("aten::sum", None, LINE, "backward"))
    found = told(log)
    assert (found.peak_bytes, found.op, found.phase) == (6, "aten::mm", "forward")
    assert found.held == (Held("temporaries", 6, 1, "aten::mm", "Net.0", LINE),)
    assert found.trained


def test_roles_come_before_everything_else() -> None:
    log = Log()
    log.born(3, None)
    log.before = 1
    log.born(2, None)
    weight = forward(log, 7)
    log.roles[weight] = "parameters"
    kinds = [(held.category, held.nbytes) for held in told(log).held]
    assert kinds == [("parameters", 7), ("kept from before", 3), ("inputs", 2)]


def test_what_is_saved_is_told_where_it_was_first_saved_and_who_made_it() -> None:
    log = Log()
    forward(log, 5, "Net.0", by="Net.1")
    (held,) = told(log).held
    assert (held.category, held.module, held.maker) == ("saved for backward", "Net.1", "Net.0")


def test_saved_twice_and_let_go_once_is_still_saved() -> None:
    log = Log()
    number = forward(log, 5)
    log.events += [(SAVED, number), (FREED, number)]
    assert [held.nbytes for held in told(log).left] == [5]
    log.events.append((FREED, number))
    assert told(log).left == ()


def test_gradients_of_an_earlier_step_are_stale_only_once_they_are_let_go_unread() -> None:
    log = Log()
    old = log.born(9, None)
    log.roles[old] = "gradients"
    log.born(1, Made("aten::mm", None, LINE, "backward"))
    waiting = Gradients(frozenset({old}), frozenset())
    assert told(log, waiting).stale_bytes == 0
    log.events.append((DIED, old))
    assert told(log, Gradients(frozenset({old}), frozenset({old}))).stale_bytes == 0
    found = told(log, Gradients(frozenset({old}), frozenset(), dropped_at=LINE))
    assert (found.stale_bytes, found.dropped_at) == (9, LINE)


def test_without_a_backward_gradients_that_lie_there_are_stale() -> None:
    log = Log()
    old = log.born(9, None)
    assert told(log, Gradients(frozenset({old}))).stale_bytes == 9


def test_only_gradients_count_as_zeroed() -> None:
    log = Log()
    gradient, other = log.born(9, None), log.born(8, None)
    log.roles[gradient] = "gradients"
    by = Made("aten::zero_", None, LINE)
    found = told(log, Gradients(zeroed={gradient: by, other: by}))
    assert [(held.nbytes, held.place) for held in found.zeroed] == [(9, LINE)]


def test_many_lines_are_told_together_and_still_sum_to_the_peak() -> None:
    log = Log()
    for number in range(300):
        log.born(2 + number % 2, Made("aten::mm", f"Net.{number}", LINE, "forward"))
    found = told(log)
    assert (found.peak_bytes, len(found.held)) == (750, 101)
