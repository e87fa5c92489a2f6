"""Everything that records during a capture, together: the session says when, these what was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from perfkit.capture.captured_inputs import AskedInputs, InputRecorder
from perfkit.capture.compiler import CompilerLog, pass_through
from perfkit.capture.costs import CostRecorder
from perfkit.capture.cross_check import disagreements
from perfkit.capture.instruments import Detectors, Wanted
from perfkit.capture.light import Light, affordable_steps
from perfkit.capture.logbook import Logbook
from perfkit.capture.marks import loaders_seen
from perfkit.capture.regions import RegionClock
from perfkit.capture.sampling import Sampling
from perfkit.capture.schedule import Limits, Schedule, overhead
from perfkit.capture.steps import StepFinder
from perfkit.detectors.evidence import Evidence
from perfkit.model.run import Gap, Instrument, Run
from perfkit.model.syncs import Sync


@dataclass(frozen=True)
class Settings:
    """How to capture.

    Attributes:
        command: the command line, for the run's record.
        stop_after: end the program from inside once everything is measured.
        sample_hz: looks at the machine per second while steps are measured; 0 for none.
        inputs: the calls whose arguments to save.
    """

    device: Wanted = "auto"
    limits: Limits = field(default_factory=Limits)
    region: str | None = None
    stop_after: bool = False
    command: tuple[str, ...] = ()
    sample_hz: float = 20.0
    inputs: AskedInputs = field(default_factory=AskedInputs)


class Recorders:
    """The instruments of one capture and what they have recorded.

    Attributes:
        evidence: where the sync detectors write.
        schedule: which instrument measures the step that is running.
        book: the steps so far.
    """

    def __init__(self, settings: Settings, evidence: Evidence) -> None:
        self.evidence = evidence
        self._limits = settings.limits
        self.schedule = Schedule(settings.limits)
        self.detectors = Detectors(settings.device, evidence)
        self.costs = CostRecorder(evidence)
        self.light = Light(settings.limits.max_bytes)
        self.sampling = Sampling(settings.sample_hz)
        self.inputs = InputRecorder(settings.inputs, self.detectors.quietly)
        self.regions = RegionClock()
        self.book = Logbook()
        self.compiler = CompilerLog()

    def open(self) -> None:
        """The program is about to start, its modules' calls are marked."""
        self.compiler.skip()
        pass_through(torch.nn.Module.__call__)
        self.detectors.open()

    def leave(self, before: Instrument) -> None:
        """The last step measured this way has ended."""
        self.detectors.drain()
        if before == "deep":
            self.detectors.off()
            self._bound_light()
        elif before == "light":
            self.light.off()

    def enter(self, after: Instrument) -> None:
        """The next step is measured this way."""
        if after == "deep":
            self.detectors.on()
        elif after == "light":
            self.light.on()

    def export(self, directory: Path) -> None:
        """Write the trace into the run directory, once there is one."""
        if self.schedule.taken("light") and directory.is_dir():
            self.light.export(directory, directory.name)

    def run(self, no_steps: str, *, ended: bool) -> Run:
        """What was recorded so far; the session adds which program it was.

        Args:
            no_steps: what to say where no step was completed.
            ended: the program has, and nothing more will be recorded.
        """
        deep = self.book.measured("deep")
        steps = tuple(self.book.steps)
        syncs = tuple(s for s in self.evidence.records() if s.step in deep or s.step is None)
        return Run(
            name="",
            device=self.detectors.device,
            steps=steps,
            syncs=syncs,
            ops=self.light.ops,
            regions=self.regions.sums(self.book.measured()),
            launches_per_step=self.book.launches(self.light.ops),
            overhead={**overhead(steps), **self._pretence_overhead()},
            gaps=self._gaps(syncs, no_steps),
            trace=self.light.file,
            events=self.light.events,
            samples=self.sampling.samples(),
            loaders=loaders_seen(),
            compiler=self.compiler.record(),
            costs=self.costs.rows(),
            costed_steps=self.costs.steps,
            operands=self.costs.operands(),
            memory=self.costs.memory.memory(),
            peaks=self.costs.peaks(self.detectors.device) if ended else None,
        )

    def _pretence_overhead(self) -> dict[str, float | None]:
        """What the pretence makes of a bare step, as a ratio to the step without it."""
        if self.detectors.device != "pretend-cuda":
            return {}
        return {"pretence": self.book.pretence(self.detectors.call_cost_ns)}

    def _gaps(self, syncs: tuple[Sync, ...], no_steps: str) -> tuple[Gap, ...]:
        gaps = [
            *self.book.gaps(),
            *self.detectors.gaps(),
            *self.light.gaps(),
            *self.costs.gaps(),
            *self.inputs.gaps(),
            *self.compiler.gaps(),
        ]
        if not self.book.steps:
            gaps.append(Gap("steps", no_steps))
        if self.detectors.device == "cuda":
            deep, light = self.book.measured("deep"), self.book.measured("light")
            gaps += disagreements(syncs, len(deep), self.light.waits, len(light))
        return tuple(gaps)

    def _bound_light(self) -> None:
        """Fewer light steps where three would exceed the limit on the trace."""
        most = affordable_steps(self.book.most_ops(), self._limits.max_bytes)
        self.schedule.light_steps = min(self.schedule.light_steps, most)


def no_steps(finder: StepFinder) -> str:
    """What was looked for and found, when no step was."""
    seen = finder.seen
    if finder.region is not None:
        return f"no pass through a region named {finder.region!r} was completed"
    return (
        f"no step was completed (seen: {seen['optimizer']} optimizer.step, "
        f"{seen['loader']} DataLoader batches, {seen['forward']} module forwards, "
        f"{seen['backward']} backwards)"
    )
