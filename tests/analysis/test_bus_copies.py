"""Copies over the bus: exposed time, rates, memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from perfkit.analysis.bus_copies import BusCopies, bus_copies, bus_copies_table
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.events import UNKNOWN, Events
from tests.kineto_traces import needs_corpus
from tests.trace_pictures import US, trace

PINNED = "h=Memcpy~HtoD~(Pinned~->~Device)"
PAGEABLE = "p=Memcpy~HtoD~(Pageable~->~Device)"
BACK = "d=Memcpy~DtoH~(Device~->~Pageable)"
WITHIN = "w=Memcpy~DtoD~(Device~->~Device)"


def copies(gpu: str, nbytes: int | None = 1_000, more: str = "") -> Events:
    """A step of 20 µs with this on the device; each copy moves `nbytes`, None: not told."""
    names = f"k=gemm {PINNED} {PAGEABLE} {BACK} {WITHIN}"
    events = trace(f"step  {'s' * 20}\nop    a{'.' * 19} a=aten::mm\ngpu   {gpu} {names}{more}")
    size = UNKNOWN if nbytes is None else nbytes
    sizes = np.where(events.of(("gpu_memcpy",)), size, UNKNOWN)
    return replace(events, nbytes=sizes.astype(np.int64))


def looked(events: Events) -> BusCopies:
    reading = trace_reading(events)
    found = bus_copies(events, reading.work, reading.steps)
    found.self_check()
    return found


def test_a_trace_without_copies_or_only_within_the_device_tells_nothing() -> None:
    for gpu in ("kkkk................", "kkkkwwww............", "...................." + "hhhh"):
        with pytest.raises(NotObservable):
            looked(copies(gpu))


def test_only_the_part_that_nothing_hides_is_exposed() -> None:
    found = looked(copies("hhhhhh..............", more="\ngpu2  ..kkkkk............. k=gemm"))
    assert (found.busy_ns, found.exposed_ns) == (6 * US, 2 * US)


def test_directions_and_memories_are_told_apart_the_most_exposed_first() -> None:
    found = looked(copies("hhpppppdddk.........", nbytes=5_000))
    assert [(w.direction, w.memory, w.copies, w.exposed_ns // US) for w in found.ways] == [
        ("h2d", "pageable", 1, 5),
        ("d2h", "pageable", 1, 3),
        ("h2d", "pinned", 1, 2),
    ]
    assert found.ways[0].rate == pytest.approx(5_000 / 5e-6)
    assert found.ways[0].large_rate is None
    assert bus_copies_table(found).records()[2]["rate"] == pytest.approx(5_000 / 2e-6)


def test_large_copies_have_a_rate_of_their_own() -> None:
    (way,) = looked(copies("hhhh.k..............", nbytes=4 << 20)).ways
    assert way.large_rate == way.rate == pytest.approx((4 << 20) / 4e-6)


def test_a_copy_of_unknown_size_has_no_rate() -> None:
    (way,) = looked(copies("hhhh.k..............", nbytes=None)).ways
    assert (way.nbytes, way.rate, way.exposed_ns) == (0, None, 4 * US)


@needs_corpus("a100_stacks_old_style", "h100_owlv2_large")
def test_real_copies_stay_below_their_link(trace: object) -> None:
    found = looked(read_trace(str(trace), shapes=False))
    for way in found.ways:
        assert way.rate is not None and way.rate < 63e9
