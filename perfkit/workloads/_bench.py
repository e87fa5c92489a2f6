"""What `perfkit bench` asks of a workload, and how one configuration is measured.

A workload's `bench.py` defines

    OPTIONS: dict[str, str]      what can be set, with what it may be and what it means
    SIZES: frozenset[str]        those of them that change the problem and not how it is solved
    measure(settings, device)    one configuration -> Measured; ValueError for a setting it has not

Every configuration runs in a process of its own, so that its peak memory is its own and a crash
costs one row.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from typing import Any

import torch

from perfkit.base import plugins
from perfkit.base.errors import PerfkitError
from perfkit.detectors.evidence import Hit, listening
from perfkit.pretend import pretend_cuda
from perfkit.rewrites._counting import Counts, tally

ROOM = "perfkit.workloads"


@dataclass(frozen=True)
class Measured:
    """One configuration.

    Attributes:
        unit: what the times, counts and syncs are for, such as "run" or "step".
        dispatch_s: wall time until Python had handed over all work.
        completed_s: wall time until the device had done it; the same on a CPU.
        cpu_s: time of the process for the same work, where the CPU is the device: what it costs,
            whoever else uses the machine; None where not measured.
        counts: device operators, syncs and copies per unit, on the pretend device.
        quality: AUC, loss, acceptance and so on; None where it has no meaning here.
        approximate: what is computed differently from the found program; empty when nothing is.
        notes: what else to know, such as why a score is 0.
        peak_bytes: of the whole process, or of the run above its start where the workload can tell.
        failed: why there is no measurement.
    """

    unit: str = "run"
    dispatch_s: float | None = None
    completed_s: float | None = None
    cpu_s: float | None = None
    counts: Counts | None = None
    quality: dict[str, float | None] = field(default_factory=dict)
    approximate: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    peak_bytes: int | None = None
    failed: str = ""

    @property
    def escaped(self) -> bool:
        """A timer around the call alone would have missed over a tenth of the time."""
        if self.dispatch_s is None or not self.completed_s:
            return False
        return self.dispatch_s < 0.9 * self.completed_s

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "escaped": self.escaped}


def workloads() -> list[str]:
    """Names of the workloads that can be measured."""
    return plugins.names(ROOM)


def options(workload: str) -> dict[str, str]:
    """What can be set on a workload.

    Raises:
        PerfkitError: no such workload.
    """
    found: dict[str, str] = _bench(workload).OPTIONS
    return found


def sizes(workload: str) -> frozenset[str]:
    """The options that change the problem: the found program is measured with them as well."""
    found: frozenset[str] = _bench(workload).SIZES
    return found


def measured_apart(workload: str, settings: Mapping[str, str], device: str) -> Measured:
    """One configuration in a fresh process.

    Raises:
        PerfkitError: a setting that the workload does not have; the message lists those it has.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(
        target=_child, args=(theirs, _bench(workload).__name__, dict(settings), device)
    )
    child.start()
    theirs.close()
    try:
        kind, answer = ours.recv()
    except EOFError:
        child.join()
        return Measured(failed=f"the process ended with code {child.exitcode}")
    finally:
        ours.close()
    child.join()
    if kind == "mistake":
        raise PerfkitError(answer, f"perfkit bench {workload} --options lists what can be set")
    return answer if kind == "measured" else Measured(failed=answer)


def counted(run: Callable[[], object]) -> Counts:
    """What a program asks of a CUDA device while it runs, counted on the pretend one.

    Args:
        run: makes its own tensors on the device `cuda`.
    """
    hits: list[Hit] = []
    with pretend_cuda() as pretence, listening(hits.append):
        run()
        dispatched = pretence.dispatched
    return tally(dispatched, hits)


def _child(pipe: Any, module: str, settings: dict[str, str], device: str) -> None:
    torch.set_num_threads(1)
    try:
        found = import_module(module).measure(settings, torch.device(device))
        pipe.send(("measured", replace(found, peak_bytes=found.peak_bytes or _peak_bytes(device))))
    except ValueError as error:
        pipe.send(("mistake", str(error)))
    except (RuntimeError, NotImplementedError, MemoryError, ImportError) as error:
        traceback.print_exc(file=sys.stderr)
        pipe.send(("failed", f"{type(error).__name__}: {str(error).splitlines()[0]}"))


def _peak_bytes(device: str) -> int:
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _bench(workload: str) -> Any:
    return plugins.module(plugins.module(ROOM, workload).__name__, "bench")
