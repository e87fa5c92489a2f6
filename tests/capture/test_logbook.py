"""The steps so far, and which ones count."""

from __future__ import annotations

from perfkit.capture.logbook import Logbook
from perfkit.model.run import OpStat


def book(word, ops=None):
    names = {"w": "warm-up", "b": "bare", "l": "light", "d": "deep", "a": "after"}
    logbook = Logbook()
    for letter in word:
        logbook.add(names[letter], 0, 10, ops)
    return logbook


def test_an_even_program_has_no_odd_step():
    logbook = Logbook()
    assert not any(logbook.is_odd(forwards) for forwards in (1, 1, 2, 1, 3))


def test_a_validation_is_odd_and_told():
    logbook = book("wwwwb")
    assert [logbook.is_odd(forwards) for forwards in (1, 1, 9, 1)] == [False, False, True, False]
    assert "validation" in logbook.gaps()[-1].why


def test_launches_are_unknown_without_a_count():
    assert book("wbdl").launches(()) is None


def test_launches_are_a_mean_of_deep_steps():
    logbook = book("wwb")
    logbook.add("deep", 0, 1, 4)
    logbook.add("deep", 0, 1, 7)
    assert (logbook.launches(()), logbook.most_ops()) == (5.5, 7)


def test_launches_on_a_gpu_are_the_kernels_of_light_steps():
    ops = (OpStat("aten::mm", "host", 8, 1, 1), OpStat("gemm", "device", 6, 1, 1))
    assert book("wll").launches(ops) == 3


def test_restarting_makes_warm_up_of_all_steps():
    logbook = book("wbdl", ops=3)
    logbook.restart()
    assert logbook.measured() == set()
    assert (logbook.index, logbook.most_ops()) == (4, 0)


def test_steps_long_after_the_measurement_are_counted_and_not_kept():
    logbook = book("wbdl" + "a" * 10_005)
    assert (len(logbook.steps), logbook.index) == (10_004, 10_009)
    assert logbook.gaps()[-1].what == "later steps"


def test_the_pretences_share_is_calls_times_cost():
    book = Logbook()
    for _ in range(3):
        book.add("bare", 0, 3_000, None, calls=100)
    assert book.pretence(10.0) == 1.5
    assert book.pretence(None) is None and book.pretence(30.0) is None
