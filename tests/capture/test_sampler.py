"""The sampling thread: bounded memory, both clocks, its cost, and how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from math import isnan

import pytest
import torch

from perfkit.analysis.device_samples import sampler_share
from perfkit.capture._sample_ring import Ring
from perfkit.capture.sampler import Sampler, wall_offset
from perfkit.model.run import Gap

UNITS = {"power": "watt", "rare": "count", "never": "count"}


class Counting:
    """A source that counts its readings; `slow` seconds each."""

    subject = "host"
    units: Mapping[str, str] = UNITS

    def __init__(self, slow: float = 0.0) -> None:
        self.slow, self.readings, self.closed = slow, 0, 0
        self.enough = threading.Event()

    def identity(self) -> Mapping[str, str]:
        return {"name": "a source"}

    def read(self, now_ns: int) -> Mapping[str, float]:
        self.readings += 1
        if self.readings >= 3:
            self.enough.set()
        time.sleep(self.slow)
        return {"power": float(self.readings)}

    def unavailable(self) -> tuple[Gap, ...]:
        return (Gap("never", "nobody knows"),)

    def close(self) -> None:
        self.closed += 1


def sampled(source: Counting, gaps: Sequence[Gap] = (), hertz: float = 100) -> Sampler:
    """A sampler that took at least three samples and ended."""
    sampler = Sampler(lambda: ([source], gaps), hertz)
    sampler.start()
    assert source.enough.wait(20)
    sampler.stop()
    return sampler


def test_stopping_what_never_started_leaves_nothing() -> None:
    sampler = Sampler(lambda: ([], ()))
    sampler.stop()
    assert sampler.samples() == ()


@pytest.mark.parametrize("hertz", [0, -1, 101])
def test_no_rate_of_sense(hertz: float) -> None:
    with pytest.raises(ValueError, match="samples per second"):
        Sampler(lambda: ([], ()), hertz)


def test_without_a_source_the_thread_ends() -> None:
    sampler = Sampler(lambda: ([], (Gap("devices", "none"),)))
    sampler.start()
    sampler.stop()
    assert sampler.samples() == ()


def test_samples_with_what_was_missing_and_their_own_cost() -> None:
    source = Counting()
    sampler = sampled(source, (Gap("devices", "no driver"),))
    (samples,) = sampler.samples()
    assert len(samples) == source.readings >= 3
    assert samples.series["power"].values.tolist() == list(range(1, source.readings + 1))
    assert samples.series.keys() == {"power"}
    assert [gap.what for gap in samples.unavailable] == ["devices", "never"]
    assert (samples.identity, samples.hertz) == ({"name": "a source"}, 100)
    assert samples.cost_ns is not None and 0 < samples.cost_ns < 5e9
    assert sampler_share((samples,)) is not None
    assert source.closed == 1
    sampler.stop()


def test_moments_ascend_on_the_clock_of_the_steps() -> None:
    before = time.perf_counter_ns()
    (samples,) = sampled(Counting()).samples()
    after = time.perf_counter_ns()
    assert all(samples.time[1:] > samples.time[:-1])
    assert before <= samples.time[0] <= samples.time[-1] <= after


def test_the_wall_clock_is_kept_within_a_millisecond() -> None:
    (samples,) = sampled(Counting()).samples()
    now = time.monotonic_ns() + samples.wall_offset_ns
    assert abs(now - time.time_ns()) < 1_000_000
    assert abs(wall_offset() - samples.wall_offset_ns) < 1_000_000


def test_a_sample_lies_within_5_ms_of_a_mark_in_the_trace_of_its_moment() -> None:
    torch.set_num_threads(1)
    source = Counting()
    sampler = Sampler(lambda: ([source], ()), 100)
    moments = []
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        sampler.start()
        for _ in range(3):
            moments.append(time.monotonic_ns())
            with torch.profiler.record_function("here"):
                time.sleep(0.002)
    sampler.stop()
    (samples,) = sampler.samples()
    marks = [e for e in profile.profiler.kineto_results.events() if e.name() == "here"]
    assert len(marks) == 3
    for mark, moment in zip(sorted(m.start_ns() for m in marks), moments, strict=True):
        assert abs(moment + samples.wall_offset_ns - mark) < 5_000_000


def test_slow_readings_are_told() -> None:
    (samples,) = sampled(Counting(slow=0.01)).samples()
    assert "the exact moments of samples" in [gap.what for gap in samples.unavailable]


def test_a_source_that_breaks_ends_the_sampler_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caught: list[object] = []
    monkeypatch.setattr(threading, "excepthook", caught.append)

    class Broken(Counting):
        def read(self, now_ns: int) -> Mapping[str, float]:
            super().read(now_ns)
            if self.readings > 3:
                raise ZeroDivisionError
            return {}

    sampler = Sampler(lambda: ([source], ()), 100)
    source = Broken()
    sampler.start()
    while not caught:
        time.sleep(0.001)
    sampler.stop()
    assert "later samples" in [gap.what for gap in sampler.samples()[0].unavailable]


def test_full_memory_halves_the_rate_and_keeps_the_whole_time() -> None:
    ring = Ring(UNITS, 0)
    for index in range(ring.capacity):
        assert not ring.add(index, {"power": index, **({"rare": 7} if index == 1 else {})})
    assert ring.add(99, {"power": 99})
    time_, series = ring.taken()
    assert (ring.halved, len(ring)) == (1, ring.capacity // 2 + 1)
    assert time_.tolist() == [*range(0, ring.capacity, 2), 99]
    assert series["power"].values.tolist() == time_.tolist()
    rare = series["rare"].values.tolist()
    assert rare[0] == 7 and all(isnan(value) for value in rare[1:])


def test_a_halved_rate_is_told() -> None:
    source = Counting()
    sampler = Sampler(lambda: ([source], ()), 100, most_bytes=0)
    sampler.start()
    while source.readings < 18:
        time.sleep(0.005)
    sampler.stop()
    (samples,) = sampler.samples()
    told = {gap.what: gap.why for gap in samples.unavailable}
    assert "50 per second" in told["some samples"]
