"""A winner is called when there is one, and rarely when there is none."""

from __future__ import annotations

import numpy as np

from perfkit.rewrites._winner import judge, measured, median_interval


def noisy(ratio, rng, n=31):
    """Pairs with the long-tailed noise of a shared machine."""
    before, after = (1 + rng.exponential(0.2, n) for _ in range(2))
    return list(zip(before, after * ratio, strict=True))


def test_equal_times_are_no_difference():
    assert judge([(1.0, 1.0)] * 31).name == ""


def test_a_steady_half_percent_is_no_news():
    assert judge([(1.0, 0.995)] * 31).name == ""


def test_too_few_pairs_judge_nothing():
    found = judge([(1.0, 0.1)] * 7)
    assert (found.name, found.low) == ("", None)
    assert "too few pairs" in found.text()


def test_noise_is_called_a_winner_about_once_in_a_hundred():
    rng = np.random.default_rng(0)
    called = sum(bool(judge(noisy(1.0, rng)).name) for _ in range(400))
    assert called <= 12


def test_a_third_less_time_is_found_in_noise():
    rng = np.random.default_rng(0)
    names = [judge(noisy(2 / 3, rng)).name for _ in range(50)]
    assert names.count("after") >= 48
    assert judge(noisy(1.5, rng)).name == "before"


def test_the_interval_is_that_of_order_statistics():
    assert median_interval(range(7)) is None
    assert median_interval(range(8)) == (0, 7)
    assert median_interval(range(31)) == (8 - 1, 31 - 8)  # P(Bin(31, 1/2) < 8) is 0.17 %


def test_pairs_alternate_their_order_under_a_clock_of_our_own():
    now, order = [0.0], []

    def program(name, seconds):
        def call():
            order.append(name)
            now[0] += seconds

        return call

    pairs = measured(program("b", 3.0), program("a", 1.0), lambda: None, 4, lambda: now[0])
    assert pairs == [(3.0, 1.0)] * 4
    assert "".join(order[-8:]) == "baabbaab"
