"""Whether the makers of batches wait for storage, from samples of the host; shared by two rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfkit.analysis.device_samples import MEASURED, host, inside, values
from perfkit.analysis.loading import Loading
from perfkit.base.errors import NotObservable
from perfkit.model.run import Run
from perfkit.model.samples import Samples

_BOUND = 0.5
_LEAST = 1e6
_READINGS = 2
_NAMES = {
    "storage_read": ("reads from storage", "what is read from storage"),
    "process_blocked": ("blocked threads", "the time in which the process sleeps"),
    "workers_blocked": ("blocked threads", "the time in which workers sleep"),
}
"""What the sampler calls a quantity when it lacks it, and what people call it."""


@dataclass(frozen=True)
class Storage:
    """What storage had to do with loading, means over the measured steps.

    Attributes:
        blocked: makers of batches that neither ran nor waited for a core, on average.
        makers: processes that make batches, counted for the share of time in which they do.
        read: bytes/s that the process and its workers had fetched from storage.
    """

    blocked: float
    makers: float
    read: float

    @property
    def share(self) -> float:
        """Share of the makers' time that they wait, at most all of it."""
        return min(1.0, self.blocked / self.makers) if self.makers else 0.0

    @property
    def bound(self) -> bool:
        """Half of making a batch is waiting, and the program itself reads from storage."""
        return self.share >= _BOUND and self.read >= _LEAST


def storage(run: Run, found: Loading) -> Storage:
    """What samples say of it.

    Raises:
        NotObservable: the host was not sampled, or not what it takes.
    """
    machine = host(run.samples)
    if machine is None:
        raise NotObservable("the host was not sampled, so waiting for storage was not seen")
    read = _mean(machine, "storage_read", run)
    if read is None:
        raise NotObservable(_why(machine, "storage_read"))
    workers = found.loader.num_workers if found.loader else 0
    if workers:
        return Storage(_of_workers(machine, run, workers), float(workers), read)
    blocked = _mean(machine, "process_blocked", run)
    if blocked is None:
        raise NotObservable(_why(machine, "process_blocked"))
    # outside of the loader it may have waited for anything else, the device above all
    return Storage(max(0.0, blocked - (1 - found.share)), found.share, read)


def _of_workers(machine: Samples, run: Run, workers: int) -> float:
    """Blocked workers; other children are taken to sleep all the time."""
    blocked, children = (_mean(machine, name, run) for name in ("workers_blocked", "workers"))
    if blocked is None or children is None:
        raise NotObservable(_why(machine, "workers_blocked"))
    return max(0.0, blocked - max(0.0, children - workers))


def _mean(samples: Samples, quantity: str, run: Run) -> float | None:
    least = 1 if quantity == "workers" else _READINGS
    some = values(samples, quantity)[inside(samples.time, run.steps, MEASURED)]
    some = some[~np.isnan(some)]
    return float(some.mean()) if len(some) >= least else None


def _why(machine: Samples, quantity: str) -> str:
    gaps = {gap.what: gap.why for gap in machine.unavailable}
    what, name = _NAMES[quantity]
    if what in gaps:
        return f"{name} was not sampled: {gaps[what]}"
    if quantity not in machine.series:
        return f"{name} was not sampled: this system does not count it, or the run is too old"
    return f"fewer than {_READINGS} samples of {name} fell into the measured steps"
