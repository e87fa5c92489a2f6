"""A `Run`: everything that one capture recorded, read-only. One process; ranks are a tuple of Runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from perfkit.model.compiler import CompilerRecord
from perfkit.model.costs import OpCost
from perfkit.model.gap import Gap as Gap
from perfkit.model.loaders import LoaderUse
from perfkit.model.memory import Memory
from perfkit.model.operands import Operands
from perfkit.model.peaks import Peaks
from perfkit.model.samples import Samples
from perfkit.model.syncs import Sync

SCHEMA = "perfkit.run/1"

Device = Literal["cuda", "pretend-cuda", "cpu"]
Instrument = Literal["warm-up", "bare", "light", "deep", "after"]
"""How a step was measured: not at all yet, with only a clock, with Kineto, with the sync
detectors, or run on after the measurement ended."""


@dataclass(frozen=True)
class Step:
    """One step of the program: `[start_ns, end_ns)` on the process's monotonic clock."""

    index: int
    instrument: Instrument
    start_ns: int
    end_ns: int

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns


@dataclass(frozen=True)
class OpStat:
    """One operator or kernel over all light steps together.

    Attributes:
        name: `aten::mm`, or a kernel's name.
        place: "host" for operators, "device" for kernels and copies.
        calls: how many in all light steps.
        total_ns: inclusive time; self_ns: without children.
        device_ns: time of the kernels it launched; None where there was no device to observe.
    """

    name: str
    place: Literal["host", "device"]
    calls: int
    total_ns: int
    self_ns: int
    device_ns: int | None = None


@dataclass(frozen=True)
class Region:
    """A `perfkit.instrument` region in one step: entered `calls` times, `total_ns` in all."""

    name: str
    step: int | None
    calls: int
    total_ns: int
    ops: int | None = None


@dataclass(frozen=True)
class Run:
    """What was recorded.

    Attributes:
        name: name of the run and its directory.
        command: the command line that was profiled.
        device: which setting the sync detectors ran in.
        step_marker: what a step is here, for people: "optimizer.step", "DataLoader batch",
            "forward of CTRModel", "perfkit.step()", "whole program".
        ended: how the program ended, for people: "ran to its end", "stopped after measuring",
            "KeyboardInterrupt in step 12".
        exit_code: the program's own exit code; None while unknown.
        launches_per_step: mean number of leaf operators dispatched per deep step; None unknown.
        overhead: our own cost as ratios to a bare step, by instrument; None where not measured.
        trace: file name of the Kineto trace inside `directory`; None where there is none.
        costs: FLOPs and bytes of the operators of `costed_steps` steps together; empty where nobody
            counted. On disk in `costs.parquet`.
        operands: what operands of the costed step were like; None where nobody looked.
        memory: what was alive on the device in the costed step, and after each step; None where nobody
            looked.
        peaks: what this machine can do at most; None where it was not measured.
        source: "capture" where perfkit ran the program, "trace" where somebody else recorded it,
            "monitor" where a process was only looked at from outside.
        events: the trace of the light steps (or the foreign one), where it was read: a
            `model.events.Events`, or None. Not on disk.
        loaders: DataLoaders that were iterated over, with their settings and waits.
        compiler: what torch.compile did; None where nobody looked.
        samples: what was sampled of the host and of each device; in `samples.parquet` on disk.
    """

    name: str
    command: tuple[str, ...] = ()
    device: Device = "cpu"
    directory: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    step_marker: str = "whole program"
    steps: tuple[Step, ...] = ()
    syncs: tuple[Sync, ...] = ()
    ops: tuple[OpStat, ...] = ()
    regions: tuple[Region, ...] = ()
    launches_per_step: float | None = None
    overhead: Mapping[str, float | None] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    ended: str = "ran to its end"
    exit_code: int | None = None
    trace: str | None = None
    costs: tuple[OpCost, ...] = ()
    costed_steps: int = 0
    operands: tuple[Operands, ...] | None = None
    memory: Memory | None = None
    peaks: Peaks | None = None
    source: Literal["capture", "trace", "monitor"] = "capture"
    compiler: CompilerRecord | None = None
    schema: str = SCHEMA
    loaders: tuple[LoaderUse, ...] = ()
    events: Any = field(default=None, compare=False, repr=False)
    samples: tuple[Samples, ...] = field(default=(), compare=False, repr=False)

    def steps_measured(self, instrument: Instrument) -> tuple[Step, ...]:
        """The steps measured one way, in order."""
        return tuple(step for step in self.steps if step.instrument == instrument)
