"""Loops around a place: in its own function and in those that called it."""

from __future__ import annotations

from perfkit.analysis.loops import loops_around, loops_at
from perfkit.model.syncs import Frame
from tests.seeded import at, seeded

FILE = seeded(
    "/home/ada/loops.py",
    """
    class Router:
        def forward(self, x):
            first = x.item()
            for a in x.tolist():
                while a:
                    a = a.item()
            rows = [
                y.item()
                for y in x.numbers()
            ]
            return rows

    def train(model, loader):
        for x in loader:
            model.forward(x)
        for number in range(10):
            loss = model(x)
            loss.backward()
        for part in parts:
            def inner():
                return part.any()
            inner()
    """,
)


def _headers(text: str) -> list[str]:
    return [loop.text for loop in loops_at(at(FILE, text))]


def test_outside_of_every_loop_there_is_none() -> None:
    assert _headers("first =") == []


def test_the_header_of_a_for_is_evaluated_once_and_is_not_inside() -> None:
    assert _headers("for a in x.tolist()") == []


def test_a_loop_around_a_definition_is_no_loop_of_its_body() -> None:
    assert _headers("part.any()") == []


def test_source_that_cannot_be_read_has_no_loops() -> None:
    assert loops_at(Frame("/home/ada/absent.py", 3, "f")) == ()
    broken = seeded("/home/ada/broken.py", "for x in (:\n    x.item()")
    assert loops_at(Frame(broken, 2, "f")) == ()


def test_the_innermost_comes_first_with_its_function() -> None:
    loops = loops_at(at(FILE, "a = a.item()"))
    assert [loop.text for loop in loops] == ["while a", "for a in x.tolist()"]
    assert {loop.place.function for loop in loops} == {"Router.forward"}


def test_a_comprehension_is_a_loop_at_its_first_line() -> None:
    (loop,) = loops_at(at(FILE, "y.item()"))
    assert loop.text == "for y in x.numbers()"
    assert loop.place == at(FILE, "rows = [", "Router.forward")
    assert loop.holds(at(FILE, "for y in"))
    assert not loop.holds(at(FILE, "first ="))
    assert not loop.holds(Frame("/home/ada/other.py", loop.place.line, "f"))
    assert not loop.holds(None)


def test_loops_of_callers_follow_and_those_of_the_steps_are_left_out() -> None:
    stack = (at(FILE, "a = a.item()"), at(FILE, "model.forward(x)"), at(FILE, "loss = model"))
    assert [loop.text for loop in loops_around(stack)] == ["while a", "for a in x.tolist()"]


def test_loops_known_to_lie_around_the_step_are_left_out_on_request() -> None:
    outer = loops_at(at(FILE, "a = a.item()"))[1]
    assert [loop.text for loop in loops_around((at(FILE, "a = a.item()"),), {outer})] == ["while a"]


def test_what_learns_in_its_body_goes_through_steps_and_so_does_a_loader() -> None:
    assert loops_at(at(FILE, "loss = model"))[0].goes_through_steps
    assert loops_at(at(FILE, "model.forward(x)"))[0].goes_through_steps
    assert not loops_at(at(FILE, "a = a.item()"))[0].goes_through_steps
