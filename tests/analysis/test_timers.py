"""Stretches that the host's clock times."""

from __future__ import annotations

from perfkit.analysis.timers import timers
from perfkit.model.syncs import Frame
from tests.seeded import seeded

FILE = seeded(
    "/home/ada/timers.py",
    """
    def run(model, x):
        start = time.perf_counter()
        y = model(x)
        print(time.perf_counter() - start)
        start = time.perf_counter()
        y = model(x)
        torch.cuda.synchronize()
        took = time.perf_counter() - start
        age = now - born

    def outer():
        t = time.time()
        def inner():
            return time.time() - t
    """,
)


def test_no_source_no_timers() -> None:
    assert timers("/home/ada/absent.py") == ()
    assert timers(seeded("/home/ada/broken_timer.py", "t = (")) == ()


def test_both_readings_must_be_in_one_function_and_of_a_clock() -> None:
    assert {timer.place.function for timer in timers(FILE)} == {"run"}


def test_each_subtraction_ends_the_latest_start() -> None:
    early, late = timers(FILE)
    assert (early.first, early.last, early.waits) == (2, 4, False)
    assert (late.first, late.last, late.waits) == (5, 8, True)


def test_the_lines_between_are_held() -> None:
    early = timers(FILE)[0]
    assert early.holds(Frame(FILE, 3, "run"))
    assert not early.holds(Frame(FILE, 2, "run"))
    assert not early.holds(Frame("/home/ada/other.py", 3, "run"))
