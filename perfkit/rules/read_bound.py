"""Batches come late because making them waits for storage.

What it does
    Where steps wait for batches (a tenth and more), looks at the samples in bare and light steps: for
    how long those who make batches neither ran nor waited for a core (workers, or the main process while
    it loads), and what the process and its workers had fetched from storage. Speaks up where half of
    making a batch is such sleep and the program reads at least 1 MB/s. What the page cache serves waits
    for nothing and is not counted.

Why it hurts
    A network or spinning disk answers a small read after milliseconds, whatever its bandwidth. A worker
    that waits for one makes nothing meanwhile, and neither more cores nor faster decoding help.

How the saving is estimated
    Nothing, half and all of the time that steps wait for batches: data on a fast local disk or read
    ahead far enough is there in time. input-bound then tells the same wait without a saving of its own;
    where a trace shows a device, idle-device counts it.

When not to act
    In the first epoch over data that fits into memory: the next one comes from the page cache. Where
    samples are fetched over the network beside the reads: the sleep may be for that.
"""

from __future__ import annotations

from perfkit.analysis.loading import Loading, loading
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.rules import _claims
from perfkit.rules._engine import Looked
from perfkit.rules._storage import Storage, storage

_SHARE = 0.1
_METHOD = "none, half and all of the time in which steps wait for batches"
_IDLE = "idle-device"

FIX = (
    "Read in large pieces: samples packed into shards (WebDataset, Parquet, one memory-mapped array) "
    "instead of a file each; copy the data to a local disk or into memory first; read ahead (more "
    "workers than cores help here, prefetch_factor=4 and more)"
)


def read_bound(run: Run) -> Looked:
    """At most one finding, about the step as a whole.

    Raises:
        NotApplicable: nothing is known of loading, or nobody loads.
        NotObservable: the host was not sampled in the steps, or does not tell who sleeps.
    """
    try:
        found = loading(run)
    except NotObservable as reason:
        raise NotApplicable(str(reason)) from reason
    if not found.wait_ns:
        raise NotApplicable(f"no DataLoader is waited for in {found.source}")
    if found.share < _SHARE:
        return Looked(f"{units.share(found.share)} of the step waits for batches ({found.source})")
    disks = storage(run, found)
    at = (
        f"{units.share(found.share)} of the step waits for batches; making them is "
        f"{units.share(disks.share)} sleep, and {units.nbytes(disks.read)}/s are read from storage"
    )
    return Looked(at, (_finding(run, found, disks),) if disks.bound else ())


def _finding(run: Run, found: Loading, disks: Storage) -> Finding:
    per_step = round(found.wait_ns)
    owned = isinstance(run.events, Events) and bool(trace_reading(run.events).idle)
    return Finding(
        title=f"Batches wait for storage: the step waits {units.ns(per_step)} for its batch while "
        f"{units.nbytes(disks.read * found.step_ns / 1e9)} per step are read at "
        f"{units.nbytes(disks.read)}/s",
        evidence={
            "loading_ns": per_step,
            "share": found.share,
            "makers_blocked": disks.blocked,
            "share_of_making": disks.share,
            "bytes_per_second": disks.read,
            "bytes_per_step": round(disks.read * found.step_ns / 1e9),
            **({_claims.PART_OF: _IDLE} if owned else {}),
        },
        saving=None if owned else Saving(0, per_step // 2, per_step, _METHOD),
        fix=FIX,
        confidence="low" if run.device == "pretend-cuda" else "likely",
    )
