"""Prefetching: nothing happens on a CPU; faults, breaks and garbage; then order, bounds and copies.

The thread is tried with a transfer that needs no GPU: it marks what was sent and received.
"""

from __future__ import annotations

import gc
import threading
import time
import traceback
import weakref
from collections import OrderedDict, UserDict
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from perfkit.base.errors import PerfkitError
from perfkit.pretend import pretend_cuda
from perfkit.rewrites import pinned_prefetch as room
from perfkit.rewrites._counting import count
from perfkit.rewrites.fused_embedding.slots import FusedIds
from perfkit.rewrites.pinned_prefetch import REWRITE, pinned_prefetch


class Marking:
    """A transfer that only notes what passed."""

    def __init__(self, broken_at: object = None) -> None:
        self.sent: list[object] = []
        self.broken_at = broken_at

    def send(self, batch: object) -> object:
        if batch == self.broken_at:
            raise MemoryError("no pinned memory")
        self.sent.append(batch)
        return batch

    def receive(self, sent: object) -> object:
        return sent


def ahead_of(batches: object, transfer: Marking | None = None, depth: int = 2) -> Iterator[object]:
    return room._prefetched(iter(batches), transfer or Marking(), depth)


def threads() -> int:
    return sum(thread.name.startswith("perfkit-prefetch") for thread in threading.enumerate())


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    gc.collect()
    end = time.monotonic() + 5
    while threads() and time.monotonic() < end:
        time.sleep(0.01)
    assert threads() == 0


def test_on_a_cpu_the_very_batches_come_and_no_thread_is_started():
    batches = [torch.zeros(1), "text"]
    loader = pinned_prefetch(batches, "cpu")
    assert all(a is b for a, b in zip(loader, batches, strict=True))
    assert threads() == 0
    assert "CPU" in loader.why_not
    assert len(loader) == 2


def test_another_device_is_moved_to_without_prefetching():
    loader = pinned_prefetch([torch.zeros(1)], "meta")
    assert [batch.device.type for batch in loader] == ["meta"]
    assert "meta" in loader.why_not


def test_a_depth_of_nothing_is_refused():
    with pytest.raises(PerfkitError, match="depth 0"):
        pinned_prefetch([], depth=0)


def test_what_the_loader_raises_arrives_after_the_batches_before_it_with_its_traceback():
    def loader():
        yield from (1, 2)
        broken_line_of_the_loader()

    def broken_line_of_the_loader():
        raise ValueError("bad row")

    taken = []
    with pytest.raises(ValueError, match="bad row") as raised:
        taken.extend(ahead_of(loader(), depth=3))
    assert taken == [1, 2]
    assert "broken_line_of_the_loader" in "".join(traceback.format_tb(raised.tb))


def test_batches_before_a_fault_are_not_lost_and_none_follow():
    class Faulty:
        asked = 0

        def __iter__(self):
            return self

        def __next__(self):
            self.asked += 1
            if self.asked == 3:
                raise OSError("disk")
            return self.asked

    loader, taken = Faulty(), []
    with pytest.raises(OSError, match="disk"):
        for batch in ahead_of(loader, depth=4):
            taken.append(batch)
    assert taken == [1, 2]
    assert loader.asked == 3


def test_a_fault_of_the_copy_arrives_too():
    with pytest.raises(MemoryError, match="pinned"):
        list(ahead_of([1, 2, 3], Marking(broken_at=2)))


def test_a_loader_that_cannot_start_raises_in_the_step():
    with pretend_cuda(), pytest.raises(TypeError):
        iter(pinned_prefetch(7, "cuda"))


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_a_break_ends_the_thread_and_closes_the_loader(taken):
    closed = []

    def loader():
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    running = room._prefetched(loader(), Marking(), 2)
    for _ in range(taken):
        next(running)
    running.close()
    assert threads() == 0
    assert closed or not taken


def test_garbage_collection_ends_the_thread():
    running = ahead_of(range(1000))
    next(running)
    assert threads() == 1
    del running
    gc.collect()
    assert threads() == 0


def test_a_fault_of_the_step_ends_the_thread():
    with pytest.raises(ZeroDivisionError):
        for batch in ahead_of([0, 1]):
            1 / batch
    gc.collect()
    assert threads() == 0


def test_a_batch_is_not_kept_alive_by_the_prefetch():
    class Batch:
        pass

    class Plain:
        def send(self, batch):
            return batch

        def receive(self, sent):
            return sent

    running = room._prefetched((Batch() for _ in range(3)), Plain(), 1)
    first = weakref.ref(next(running))
    next(running)
    gc.collect()
    assert first() is None
    running.close()


@settings(max_examples=40, deadline=None)
@given(total=st.integers(0, 12), depth=st.integers(1, 5))
def test_every_batch_comes_once_in_order_and_no_more_than_depth_are_ahead(total, depth):
    transfer, taken = Marking(), []
    for batch in ahead_of(range(total), transfer, depth):
        taken.append(batch)
        assert len(transfer.sent) - len(taken) <= depth
    assert taken == transfer.sent == list(range(total))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_can_be_iterated_again(workers):
    loader = DataLoader(list(range(5)), batch_size=2, num_workers=workers)
    for _ in range(2):
        batches = [batch.tolist() for batch in ahead_of(loader)]
        assert batches == [[0, 1], [2, 3], [4]]


def test_trees_arrive_on_the_device_without_a_copy_that_blocks():
    ids = FusedIds(torch.tensor([1, 2]), torch.tensor([0, 2]), 1)
    batch = {"ids": ids, "pair": (torch.ones(2), [torch.zeros(1)]), "name": "a", "none": None}
    with pretend_cuda():
        (moved,) = pinned_prefetch([batch], "cuda")
        assert {t.device.type for t in (moved["ids"].ids, moved["pair"][1][0])} == {"cuda"}
        assert (moved["name"], moved["none"]) == ("a", None)
        assert moved["ids"].offsets.cpu().tolist() == [0, 2]


@pytest.mark.parametrize("kind", [OrderedDict, UserDict])
def test_mappings_of_other_classes_arrive_as_they_were(kind):
    batch = kind(a=torch.ones(1))
    with pretend_cuda():
        (moved,) = pinned_prefetch([batch], "cuda")
        assert (type(moved), moved["a"].device.type) == (kind, "cuda")
        assert batch["a"].device.type == "cpu"


@pytest.mark.parametrize("form", REWRITE.forms, ids=lambda form: form.name)
def test_copies_that_block_go_from_one_per_tensor_to_none(form):
    case = REWRITE.case("three batches")
    inputs = case.make(0)
    assert count(REWRITE.reference, inputs, case.stays_on_host).copies == 3 * 2
    counted = count(form, inputs, case.stays_on_host)
    assert (counted.copies, counted.syncs) == (0, 0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_batches_survive_their_memory_being_handed_out_again():
    batches = [torch.full((1 << 20,), float(step)) for step in range(30)]
    sums = [(batch * 2).sum() for batch in pinned_prefetch(batches, "cuda", depth=3)]
    assert [float(one) for one in sums] == [2.0 * step * (1 << 20) for step in range(30)]
