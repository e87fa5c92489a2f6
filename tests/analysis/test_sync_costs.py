"""What a sync costs: a range, ordered, and bounded by what was measured."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfkit.analysis.sync_costs import ESTIMATED, MEASURED, Cost, cost, step_limit
from perfkit.analysis.sync_points import SyncPoint, sync_points
from perfkit.model.syncs import Sync
from tests.draw import US, copy, draw, item


def _point(sync: Sync) -> SyncPoint:
    (point,) = sync_points(draw("step  dddd\nsync  s...", s=sync))
    return point


def test_an_uncertain_sync_may_cost_nothing() -> None:
    assert cost(_point(item(certain=False))).low_ns == 0


def test_a_read_costs_the_call_then_the_short_then_the_long_bubble() -> None:
    assert cost(_point(item())) == Cost(10 * US, 65 * US, 220 * US, ESTIMATED)


def test_counts_multiply() -> None:
    assert cost(_point(item(count=128))).likely_ns == 128 * 65 * US


def test_a_copy_adds_its_bytes_over_the_bandwidth() -> None:
    moved = cost(_point(copy(nbytes=12_000_000)))
    assert (moved.low_ns, moved.likely_ns, moved.high_ns) == (
        10 * US + 1_000 * US,
        65 * US + 2_000 * US,
        220 * US + 4_000 * US,
    )


def test_a_short_measured_wait_bounds_the_estimate() -> None:
    short = cost(_point(item(blocked_ns=6 * US)))
    assert short == Cost(6 * US, 6 * US, 206 * US, MEASURED)


def test_a_long_measured_wait_is_the_ceiling_and_not_the_likely_value() -> None:
    long = cost(_point(item(blocked_ns=5_000 * US)))
    assert (long.low_ns, long.likely_ns, long.high_ns) == (10 * US, 65 * US, 5_200 * US)


def test_a_saving_is_never_more_than_the_step() -> None:
    saving = cost(_point(item(count=100))).saving(at_most_ns=1_200 * US)
    assert (saving.low_ns, saving.likely_ns, saving.high_ns) == (
        1_000 * US,
        1_200 * US,
        1_200 * US,
    )


def test_a_cpu_step_says_nothing_about_a_gpu_step() -> None:
    picture = "step  bbbb.dddd"
    assert step_limit(draw(picture, device="pretend-cuda")) is None
    assert step_limit(draw("step  wwww", device="cuda")) is None
    assert step_limit(draw(picture, device="cuda")) == 4 * US


def test_measured_and_estimated_together_say_so() -> None:
    both = cost(_point(item())) + cost(_point(item(blocked_ns=6 * US)))
    assert MEASURED in both.method
    assert ESTIMATED in both.method


@given(
    count=st.integers(0, 10_000),
    nbytes=st.none() | st.integers(0, 1 << 40),
    blocked=st.none() | st.integers(0, 10**12),
    certain=st.booleans(),
)
def test_every_cost_is_ordered(
    count: int, nbytes: int | None, blocked: int | None, certain: bool
) -> None:
    sync = item(count=count, nbytes=nbytes, blocked_ns=blocked, certain=certain)
    found = cost(_point(sync))
    assert 0 <= found.low_ns <= found.likely_ns <= found.high_ns
    assert found.saving().method == found.method


def test_adding_costs_keeps_the_sum() -> None:
    one = Cost(1, 2, 3, ESTIMATED)
    assert one + one == Cost(2, 4, 6, ESTIMATED)
