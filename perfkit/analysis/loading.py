"""How long steps wait for batches, from the loaders' own clock where a capture had one, else from a trace.

Waits are those in bare steps, which no instrument slows down, else in light ones; a moment in which two
loaders are waited for counts once. Batches that begin an epoch are kept apart: they wait for new workers.
Of a loader without workers, the time in which its thread was ready and others held all cores is no part
of it. Where no loader was watched, it is the host's time inside the DataLoader's `__next__` in the trace.

Workers that cannot keep up hand over a batch as soon as it is made, so the distance between batches that
were waited for is the time in which all of them together make one.

A worker hands over every tensor of a batch by a file of its own in shared memory, which the main process
opens and maps. That took its CPU 65 to 220 µs per tensor on two cores of a virtual machine, measured with
torch 2.13 and 10 to 200 tensors of a batch, whatever their size: the most under the sharing strategy
`file_descriptor`, Linux's default, the least under `file_system`; the worker takes as long again, on two
cores from the step: one worker made the found ranking model, 61 tensors a batch, 19 ms slower
(`benchmarks/savings.md`), 400 µs a tensor with what it no longer loads. A machine whose system calls are
fast takes a fraction, of which no measurement is at hand. The batch itself costs about as much as another
tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from perfkit.analysis.spans import Spans, union
from perfkit.analysis.step_breakdown import HOST
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base.errors import NotObservable
from perfkit.model.events import Events, Ints
from perfkit.model.loaders import LoaderUse, Wait
from perfkit.model.run import Instrument, Run, Step
from perfkit.model.table import Column, Table

_WAITED = 0.1
"""Share of the time since the batch before from which a batch counts as waited for."""
HAND_OVER_NS = (65_000, 200_000, 400_000)
"""What a tensor from a worker costs the step: at best, likely, at worst; see the module."""
_CLOCKS: tuple[Instrument, ...] = ("bare", "light")
_COLUMNS = (
    Column("dataset"),
    Column("batch_size"),
    Column("num_workers"),
    Column("pin_memory"),
    Column("prefetch_factor"),
    Column("persistent_workers"),
    Column("batches"),
    Column("wait_ns", "ns"),
    Column("tensors"),
    Column("nbytes", "bytes"),
    Column("hand_over_ns", "ns"),
)


@dataclass(frozen=True)
class Loading:
    """Waiting for batches, means per step.

    Attributes:
        steps: how many were looked at; source: which, for people.
        loader: the one that was waited for most; None where only a trace tells.
        made_every_ns: median time between batches that were waited for; None where none was.
        held_ns: what others on the machine added to waiting, in neither `wait_ns` nor `step_ns`.
        typical_ns: the median step's wait, which a few disturbed steps do not change; None where only
            a trace tells.
    """

    wait_ns: float
    step_ns: float
    steps: int
    source: str
    loader: LoaderUse | None = None
    made_every_ns: float | None = None
    held_ns: float = 0.0
    typical_ns: float | None = None

    @property
    def share(self) -> float:
        return self.wait_ns / self.step_ns if self.step_ns else 0.0

    @property
    def rest_ns(self) -> float:
        """The step without waiting."""
        return self.step_ns - self.wait_ns

    def self_check(self) -> None:
        """Raise AssertionError where the parts contradict each other; tests call it."""
        assert 0 <= self.wait_ns <= self.step_ns


@dataclass(frozen=True)
class Restarts:
    """Epochs that started workers anew.

    Attributes:
        times: how often, the first time left out.
        each_ns: mean time from then until the first batch, less an ordinary wait.
        batches: per epoch.
    """

    loader: LoaderUse
    times: int
    each_ns: float
    batches: float

    @property
    def per_batch_ns(self) -> float:
        return self.each_ns / self.batches


def loading(run: Run) -> Loading:
    """Waiting for batches per step.

    Raises:
        NotObservable: nobody loads, or no step was measured in which one could see it.
    """
    if run.loaders:
        for instrument in _CLOCKS:
            found = _watched(run, instrument)
            if found is not None:
                return found
    if not isinstance(run.events, Events):
        why = "no bare or light step was measured" if run.loaders else "no DataLoader was watched"
        raise NotObservable(f"no trace was read, and {why}")
    return _traced(run.events)


def hand_over(loader: LoaderUse | None) -> tuple[int, int, int] | None:
    """ns per batch that the main process takes to receive it from a worker: at best, likely, at worst.

    None where nobody counted the tensors of a batch.
    """
    if loader is None or loader.tensors is None:
        return None
    best, likely, worst = (round((loader.tensors + 1) * each) for each in HAND_OVER_NS)
    return best, likely, worst


def loaders_table(run: Run) -> Table:
    """One row per loader that was iterated over, with its median wait and what handing over costs."""
    rows = []
    for loader in run.loaders:
        cost = hand_over(loader)
        rows.append(
            (
                loader.dataset,
                loader.batch_size,
                loader.num_workers,
                loader.pin_memory,
                loader.prefetch_factor,
                loader.persistent_workers,
                loader.batches,
                round(median(map(_length, loader.waits))) if loader.waits else None,
                loader.tensors,
                loader.nbytes,
                cost[1] if cost is not None else None,
            )
        )
    return Table(_COLUMNS, tuple(rows))


def restarts(run: Run) -> tuple[Restarts, ...]:
    """Loaders whose workers are started for every epoch, and there was more than one."""
    found = []
    for loader in run.loaders:
        again = loader.starts[1:]
        if not loader.num_workers or loader.persistent_workers or not again:
            continue
        usual = median(map(_length, loader.waits)) if loader.waits else 0.0
        each = max(0.0, float(np.mean(list(map(_length, again)))) - usual)
        batches = max(1.0, loader.batches / len(loader.starts))
        found.append(Restarts(loader, len(again), each, batches))
    return tuple(found)


def _watched(run: Run, instrument: Instrument) -> Loading | None:
    """From the loaders' waits; None where no step was measured so."""
    steps = run.steps_measured(instrument)
    begins = _spans([start for loader in run.loaders for start in loader.starts])
    calm = [step for step in steps if not begins.covered_in(step.start_ns, step.end_ns)]
    steps = tuple(calm) or steps
    if not steps:
        return None
    low, high = _edges(steps)
    waits = {loader: _spans(_own(loader)) for loader in run.loaders}
    together = _spans([wait for loader in run.loaders for wait in _own(loader)])
    each = together.covered(low, high)
    wait = float(each.sum()) / len(steps)
    with_others = _spans([wait for loader in run.loaders for wait in loader.waits])
    held = float(with_others.covered(low, high).sum()) / len(steps) - wait
    most = max(waits, key=lambda loader: int(waits[loader].covered(low, high).sum()))
    inside = [w for w in most.waits if any(s.start_ns <= w[0] < s.end_ns for s in steps)]
    return Loading(
        wait_ns=wait,
        step_ns=float((high - low).sum()) / len(steps) - held,
        steps=len(steps),
        source=f"{instrument} steps",
        loader=most,
        made_every_ns=_made_every(inside),
        held_ns=held,
        typical_ns=float(np.median(each)),
    )


def _own(loader: LoaderUse) -> tuple[Wait, ...]:
    """The waits without what others on the machine add to them."""
    if loader.num_workers or len(loader.delays) != len(loader.waits):
        return loader.waits
    pairs = zip(loader.waits, loader.delays, strict=True)
    return tuple((start, max(start, end - delay)) for (start, end), delay in pairs)


def _made_every(waits: list[Wait]) -> float | None:
    """Neighbours in the list may lie in different epochs; the median does not mind the few."""
    gaps = [(this[1] - before[1], _length(this)) for before, this in pairwise(waits)]
    waited = [float(gap) for gap, wait in gaps if wait >= _WAITED * gap]
    return median(waited) if 2 * len(waited) > len(gaps) > 1 else None


def _traced(events: Events) -> Loading:
    breakdown = trace_reading(events).breakdown
    if not breakdown:
        raise NotObservable("no step was traced")
    waited = sum(step.sides[HOST]["loading"] for step in breakdown)
    whole = sum(step.length_ns for step in breakdown)
    count = len(breakdown)
    return Loading(waited / count, whole / count, count, "traced steps")


def _edges(steps: tuple[Step, ...]) -> tuple[Ints, Ints]:
    edges = np.array([(s.start_ns, s.end_ns) for s in steps], np.int64)
    return edges[:, 0], edges[:, 1]


def _spans(waits: tuple[Wait, ...] | list[Wait]) -> Spans:
    edges = np.array(waits, np.int64).reshape(-1, 2)
    return union(edges[:, 0], edges[:, 1])


def _length(wait: Wait) -> int:
    return wait[1] - wait[0]
