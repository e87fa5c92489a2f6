"""Copy the next batch while the device works on this one.

What it replaces
    `batch = {k: v.to(device) for k, v in batch.items()}` at the head of the step, from ordinary
    (pageable) memory. The driver first copies such memory into a pinned buffer of its own, and the
    host waits for that, tensor by tensor; the device idles until the last has arrived.

Why it is faster
    A thread takes batches from the loader, copies them into pinned memory, and starts their copies
    on a stream of their own. The step's stream is told to wait for the copies, the host is not.

When it wins, and when not
    Where the device waits for input, or where the copies of a batch take a visible part of a step.
    With a loader of one's own that already pins (`DataLoader(pin_memory=True)`), nothing is pinned
    twice and the side stream is the gain. First pack many small tensors into few: every copy costs a
    launch. On a CPU there is nothing to copy: batches pass through unchanged, and `why_not` says so.

Exact or approximate
    Exact: the same batches in the same order.

Hazards
    Memory of the side stream may be handed out again while the step still reads it, unless each
    tensor is recorded on the step's stream: done here, for the stream that is current when the batch
    is taken. Pinned memory must stay until its copy ends: torch's allocator of pinned memory looks
    after that. `depth` batches more live on the device. Pinning many gigabytes starves the host. A
    batch that the loader changes after handing it out (a buffer used again) would be copied half old,
    half new. The loader runs in a thread: what it does in Python competes with the step.

Your own inputs
    `batches`: a list of your batches: tensors in tuples, lists and dictionaries, on the host.
    `weight`: a scalar that stands for the model, 1 if left out.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from perfkit.base.errors import PerfkitError
from perfkit.rewrites import _tree
from perfkit.rewrites._rewrite import Case, Form, Goal, Inputs, Rewrite

T = TypeVar("T")
_END: Any = object()


@dataclass(frozen=True)
class _Sent:
    """A batch on its way; `pinned` is what its copies read."""

    moved: Any
    pinned: Any
    ready: Any


class _CudaTransfer:
    """Pins and copies on a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        self.stream = torch.cuda.Stream(device)
        self.device = self.stream.device  # with its index, whatever is current later

    def send(self, batch: Any) -> _Sent:
        """In the thread: start the copies."""
        with torch.cuda.stream(self.stream):
            # inside, for pinning elsewhere would make a context on the thread's default device
            pinned = _tree.mapped(_pinned, batch)
            moved = _tree.mapped(lambda one: one.to(self.device, non_blocking=True), pinned)
            ready = torch.cuda.Event()
            ready.record(self.stream)
        return _Sent(moved, pinned, ready)

    def receive(self, sent: _Sent) -> Any:
        """In the step: its stream waits for the copies, the host does not."""
        current = torch.cuda.current_stream(self.device)
        current.wait_event(sent.ready)
        for tensor in _tree.tensors(sent.moved):
            if tensor.device.type == "cuda":
                tensor.record_stream(current)
        return sent.moved


def _pinned(tensor: Tensor) -> Tensor:
    on_host = tensor.device.type == "cpu" and tensor.layout is torch.strided
    return tensor.pin_memory() if on_host and not tensor.is_pinned() else tensor


class _Ahead:
    """Takes batches from an iterator in one thread, one call at a time.

    The future carries what the loader raises, traceback and all; after that, and after the end, the
    loader is not asked again.
    """

    def __init__(self, batches: Iterator[Any], send: Callable[[Any], Any]) -> None:
        self.batches = batches
        self.send = send
        self.finished = False
        self.thread: int | None = None
        self.pool = ThreadPoolExecutor(1, "perfkit-prefetch", self._started)

    def _started(self) -> None:
        self.thread = threading.get_ident()

    def submit(self) -> Future[Any]:
        return self.pool.submit(self._next)

    def _next(self) -> Any:
        if self.finished:
            return _END
        self.finished = True  # and it stays so if the loader raises
        batch = next(self.batches, _END)
        if batch is _END:
            return _END
        sent = self.send(batch)
        self.finished = False
        return sent

    def stop(self) -> None:
        """End the thread after the batch it is at, and close the loader's generator."""
        own = (
            threading.get_ident() == self.thread
        )  # garbage collection may run in the thread itself
        self.pool.shutdown(wait=not own, cancel_futures=True)
        self.finished = True
        close = getattr(self.batches, "close", None)
        if close is not None and not own:
            close()


class PinnedPrefetch(Generic[T]):
    """Batches of a loader on a device, each copied while the one before is worked on.

    Iterate it as often as the loader itself; each pass has a thread of its own, which ends with the
    pass, by a break, an exception, or garbage collection.

    Args:
        batches: trees of tensors: tuples, lists, dictionaries, dataclasses. Anything else passes.
        device: where they go.
        depth: batches on their way at most, besides the one that is worked on.

    Attributes:
        why_not: why batches are not prefetched; empty where they are.

    Raises:
        PerfkitError: depth below 1.
    """

    def __init__(
        self, batches: Iterable[T], device: torch.device | str = "cuda", *, depth: int = 2
    ) -> None:
        if depth < 1:
            raise PerfkitError(f"depth {depth} leaves nothing to prefetch", "use 1 or more")
        self.batches = batches
        self.device = torch.device(device)
        self.depth = depth

    @property
    def why_not(self) -> str:
        if self.device.type == "cuda":
            return ""
        if self.device.type == "cpu":
            return "batches stay on the CPU: nothing to copy"
        return f"{self.device.type} has no streams to copy on: batches are moved in the step"

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[T]:
        if self.device.type == "cpu":
            return iter(self.batches)
        if self.device.type != "cuda":
            device = self.device
            return (_tree.mapped(lambda one: one.to(device), batch) for batch in self.batches)
        # asked for here and not in the thread: loaders fork and set signal handlers at this point
        return _prefetched(iter(self.batches), _CudaTransfer(self.device), self.depth)


def _prefetched(batches: Iterator[Any], transfer: Any, depth: int) -> Iterator[Any]:
    ahead = _Ahead(batches, transfer.send)
    del batches  # the thread alone holds it, so that it is closed with the thread
    try:
        waiting = deque(ahead.submit() for _ in range(depth))
        while (sent := waiting.popleft().result()) is not _END:
            waiting.append(ahead.submit())
            batch = transfer.receive(sent)
            del sent
            yield batch
            del batch  # or it would live on the device for one batch longer
    finally:
        ahead.stop()


def pinned_prefetch(
    batches: Iterable[T], device: torch.device | str = "cuda", *, depth: int = 2
) -> PinnedPrefetch[T]:
    """A loader's batches on the device, copied ahead; see `PinnedPrefetch`."""
    return PinnedPrefetch(batches, device, depth=depth)


def found(batches: tuple[Any, ...], weight: Tensor) -> Tensor:
    """As met in programs: every tensor moved at the head of the step."""
    moved = (_tree.mapped(lambda one: one.to(weight.device), batch) for batch in batches)
    return torch.stack([_step(batch, weight) for batch in moved])


def prefetched(batches: tuple[Any, ...], weight: Tensor) -> Tensor:
    """`pinned_prefetch` as a form."""
    return torch.stack([_step(batch, weight) for batch in pinned_prefetch(batches, weight.device)])


def without_blocking(batches: tuple[Any, ...], weight: Tensor) -> Tensor:
    """Pinned in the step: no thread and no side stream, for programs that want neither."""
    steps = []
    for batch in batches:
        pinned = _tree.mapped(_pinned, batch) if weight.device.type == "cuda" else batch
        moved = _tree.mapped(lambda one: one.to(weight.device, non_blocking=True), pinned)
        steps.append(_step(moved, weight))
    return torch.stack(steps)


def _step(batch: Any, weight: Tensor) -> Tensor:
    return torch.stack([(one * weight).sum() for one in _tree.tensors(batch)]).sum()


def _out_of_order(batches: tuple[Any, ...], weight: Tensor) -> Tensor:
    return prefetched(batches[::-1], weight)


def _last_lost(batches: tuple[Any, ...], weight: Tensor) -> Tensor:
    steps = [_step(batch, weight) for batch in pinned_prefetch(batches[:-1], weight.device)]
    return torch.stack([*steps, torch.zeros_like(steps[0])])


def _adopted(batches: Sequence[Any], weight: Tensor | float = 1.0) -> Inputs:
    """Inputs as a file holds them."""
    return tuple(batches), torch.as_tensor(weight)


def _case(name: str, steps: int, tensors: int, rows: int, *, measured: bool = False) -> Case:
    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        batches = tuple(
            {f"slot {slot}": torch.randn(rows, generator=generator) for slot in range(tensors)}
            for _ in range(steps)
        )
        return batches, torch.rand((), generator=generator).requires_grad_()

    shape = f"{steps} batches of {tensors} tensors of {rows}"
    return Case(name, make, shape, stays_on_host=(0,), measured=measured)


REWRITE = Rewrite(
    title="Pin batches and copy them ahead on a stream of their own",
    found=(Form("found", found, "never on CUDA: the host waits for every tensor"),),
    forms=(
        Form("prefetched", prefetched, "where a loader feeds a device"),
        Form("pinned in the step", without_blocking, "where a thread is not wanted"),
    ),
    traps=(
        Form("out of order", _out_of_order, "never: several threads without an order do this"),
        Form("last batch lost", _last_lost, "never: double buffers that stop one too early"),
    ),
    cases=(
        _case("three batches", 3, 2, 5),
        _case("one batch", 1, 1, 1),
        _case("20 batches of 28 tensors", 20, 28, 500, measured=True),
    ),
    goals=(Goal("20 batches of 28 tensors", ratio=0.9, syncs=0, copies=0),),
    adopt=_adopted,
)
