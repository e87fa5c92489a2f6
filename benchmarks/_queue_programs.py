"""Small training and inference steps for the software device, before and after one rewrite each.

`PAIRS` says of each: the step before, the step after, and the rewrite in terms of the first trace's
names, as `benchmarks/what_if.py` reads it. The rewrite is written down before anything is measured;
times in µs are chosen so that a step takes some 3 to 30 ms, and are the programs' own, not CUDA's.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks._queue_host import MAIN, SIDE, Host, Program

EXPERTS, VALUES, TINY, TOKENS = 8, 16, 60, 48
LOADING_S = 0.004


@dataclass(frozen=True)
class Pair:
    """The step as it was and as it became, and what the rewrite did; `steps` are recorded."""

    before: Program
    after: Program
    edits: tuple[Mapping[str, Any], ...]
    steps: int = 6


def _mm(host: Host, us: float) -> None:
    host.op("aten::mm", 25, [("gemm", us)])


def experts_asked(host: Host) -> None:
    """For each expert the host asks which tokens are its own."""
    _mm(host, 400)
    for _ in range(EXPERTS):
        host.python(60)
        host.op("aten::eq", 10, [("compare", 40)])
        host.read("aten::nonzero", 20)
        _mm(host, 250)


def experts_planned(host: Host) -> None:
    """The same work; the device keeps the selection, and nobody reads it."""
    _mm(host, 400)
    for _ in range(EXPERTS):
        host.python(60)
        host.op("aten::eq", 10, [("compare", 40)])
        _mm(host, 250)


def losses_by_element(host: Host) -> None:
    """A loop over elements reads each of them, then the host computes on."""
    _mm(host, 600)
    for _ in range(VALUES):
        host.op("aten::select", 15, [("gather", 15)])
        host.read("aten::item")
        host.python(40)
    host.op("aten::sum", 10, [("reduce", 80)])


def losses_at_once(host: Host) -> None:
    _mm(host, 600)
    for _ in range(VALUES):
        host.op("aten::select", 15, [("gather", 15)])
        host.python(40)
    host.op("aten::sum", 10, [("reduce", 80)])


def tiny_kernels(host: Host) -> None:
    """Many operators, each of which the device finishes faster than the host launches it.

    Host work follows that hides how long the fused kernel takes: nothing here could tell.
    """
    _mm(host, 300)
    for _ in range(TINY):
        host.op("aten::add", 40, [("elementwise", 8)])
    host.python(1500)
    _mm(host, 300)
    host.read("aten::item")


def one_kernel(host: Host) -> None:
    _mm(host, 300)
    host.op("fused", 40, [("elementwise", 8 * TINY)])
    host.python(1500)
    _mm(host, 300)
    host.read("aten::item")


def copies_waited_for(host: Host) -> None:
    """Each batch comes from pageable memory, in the stream that computes."""
    host.python(300)
    host.copy(1500, pageable=True)
    for _ in range(6):
        _mm(host, 500)


def copies_ahead(host: Host) -> None:
    """The next batch comes from pinned memory on a stream of its own while this one is computed."""
    host.python(300)
    computed = host.keep("computed", None)
    if computed is not None:
        host.stream_waits(SIDE, computed)
    host.copy(1500, pageable=False, stream=SIDE)
    arrived = host.keep("arrived", host.record(SIDE))
    if arrived is not None:
        host.stream_waits(MAIN, arrived)
    for _ in range(6):
        _mm(host, 500)
    host.keep("computed", host.record(MAIN))


def tokens_launched(host: Host) -> None:
    """One token: many small kernels, then the host reads which token it is."""
    for _ in range(TOKENS):
        host.op("aten::linear", 45, [("gemv", 20)])
    host.read("aten::item")
    host.python(200)


def tokens_captured(host: Host) -> None:
    host.graph("token", [("gemv", 20)] * TOKENS)
    host.read("aten::item")
    host.python(200)


def _attention(host: Host, us: float) -> None:
    for _ in range(4):
        host.op("aten::attention", 30, [("attention", us)])
        _mm(host, 500)


def slow_attention(host: Host) -> None:
    """The device decides, and one kernel takes most of its time."""
    _attention(host, 1600)


def fast_attention(host: Host) -> None:
    _attention(host, 800)


def _prepared(host: Host, us: float) -> None:
    for _ in range(6):
        with host.span("user_annotation", "prepare"):
            host.python(us)
        _mm(host, 200)
        host.op("aten::add", 20, [("elementwise", 30)])


def slow_python(host: Host) -> None:
    """The host decides: it prepares each layer in Python for longer than the device computes."""
    _prepared(host, 700)


def fast_python(host: Host) -> None:
    _prepared(host, 350)


def _loaded(host: Host, batches: Any) -> None:
    with host.span("user_annotation", "enumerate(DataLoader)#_Loader.__next__"):
        batches()
    for _ in range(5):
        _mm(host, 600)
    host.read("aten::item")


def loading_in_line(host: Host) -> None:
    """The batch is read from storage by the thread that also launches."""
    _loaded(host, lambda: time.sleep(LOADING_S))


def loading_ahead(host: Host) -> None:
    """Another thread reads the next batch meanwhile."""
    _loaded(host, host.kept("batches", _prefetched).get)


def _prefetched() -> queue.Queue[int]:
    batches: queue.Queue[int] = queue.Queue(2)

    def load() -> None:
        for number in range(64):
            time.sleep(LOADING_S)
            try:
                batches.put(number, timeout=2)
            except queue.Full:  # nobody takes them any more
                return

    threading.Thread(target=load, daemon=True).start()
    return batches


def throttled(host: Host) -> None:
    """The host waits for the step before the last one, so as not to run too far ahead."""
    for _ in range(8):
        _mm(host, 700)
    last = host.keep("last", host.record(MAIN))
    if last is not None:
        host.host_waits(last)


def unthrottled(host: Host) -> None:
    for _ in range(8):
        _mm(host, 700)
    host.record(MAIN)


def _deep(host: Host, us: float) -> None:
    for _ in range(500):
        host.op("aten::mul", us, [("elementwise", 60)])


def deep_queue(host: Host) -> None:
    """The host runs ahead until the queue is full; then the device sets the pace."""
    _deep(host, 20)


def deep_queue_fast_host(host: Host) -> None:
    _deep(host, 10)


def _read_in_step(host: Host, us: float, reads: bool) -> None:
    for _ in range(6):
        host.op("aten::attention", 40, [("attention", us)])
        if reads:
            host.read("aten::item")
        host.python(300)


def read_and_slow(host: Host) -> None:
    """Reads that stall the device, and a slow kernel."""
    _read_in_step(host, 900, reads=True)


def unread_and_fast(host: Host) -> None:
    _read_in_step(host, 450, reads=False)


def _edit(kind: str, *names: str, **more: float) -> Mapping[str, Any]:
    return {"edit": kind, "names": list(names), **more}


PAIRS: Mapping[str, Pair] = {
    "experts_without_nonzero": Pair(
        experts_asked, experts_planned, (_edit("without_waits", "aten::nonzero"),)
    ),
    "losses_without_item": Pair(
        losses_by_element, losses_at_once, (_edit("without_waits", "aten::item"),)
    ),
    "tiny_kernels_fused": Pair(tiny_kernels, one_kernel, (_edit("fused", "aten::add"),)),
    "copies_overlapped": Pair(
        copies_waited_for, copies_ahead, (_edit("overlapped", "Memcpy HtoD*"),)
    ),
    "tokens_in_a_graph": Pair(
        tokens_launched, tokens_captured, (_edit("captured", "aten::linear"),)
    ),
    "kernel_twice_as_fast": Pair(
        slow_attention, fast_attention, (_edit("faster", "attention", times=2),)
    ),
    "python_twice_as_fast": Pair(
        slow_python, fast_python, (_edit("host_faster", "prepare", times=2),)
    ),
    "loading_in_background": Pair(
        loading_in_line,
        loading_ahead,
        (_edit("host_faster", "enumerate(DataLoader)*", times=1000),),
    ),
    "wait_that_costs_nothing": Pair(
        throttled, unthrottled, (_edit("without_waits", "cudaEventSynchronize"),)
    ),
    "host_behind_a_full_queue": Pair(
        deep_queue,
        deep_queue_fast_host,
        (_edit("host_faster", "aten::mul", times=2),),
        steps=5,
    ),
    "no_reads_and_a_faster_kernel": Pair(
        read_and_slow,
        unread_and_fast,
        (_edit("without_waits", "aten::item"), _edit("faster", "attention", times=2)),
    ),
}
