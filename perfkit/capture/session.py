"""One capture from beginning to end: marks come in, instruments change between steps, a `Run` comes out."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import perf_counter_ns

from perfkit.base.errors import PerfkitError
from perfkit.capture import instrument
from perfkit.capture.captured_inputs import AskedInputs, InputRecorder
from perfkit.capture.costs import CostRecorder
from perfkit.capture.cross_check import disagreements
from perfkit.capture.environment import environment
from perfkit.capture.instruments import Detectors, Wanted
from perfkit.capture.light import Light, affordable_steps
from perfkit.capture.logbook import Logbook
from perfkit.capture.marks import marking
from perfkit.capture.progress import Progress
from perfkit.capture.regions import RegionClock
from perfkit.capture.sampling import Sampling
from perfkit.capture.schedule import Limits, Schedule, overhead
from perfkit.capture.script import MeasuringDone
from perfkit.capture.steps import StepFinder
from perfkit.detectors.evidence import Evidence
from perfkit.io.rundir import RunDirectory
from perfkit.model.run import Gap, Instrument, Run
from perfkit.model.syncs import Phase, Sync


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


class Session:
    """A capture of the program that runs in this process. Forked children neither record nor write.

    After every phase the run so far is written, so that a program which is killed leaves a run that
    opens.
    """

    def __init__(
        self, settings: Settings, directory: RunDirectory, progress: Progress | None = None
    ) -> None:
        self.settings = settings
        self.directory = directory
        self.evidence = Evidence()
        self.finder = StepFinder(self, settings.region)
        self._progress = progress or Progress(False)
        self._schedule = Schedule(settings.limits)
        self._detectors = Detectors(settings.device, self.evidence)
        self._costs = CostRecorder(self.evidence)
        self._light = Light(settings.limits.max_bytes)
        self._sampling = Sampling(settings.sample_hz)
        self._inputs = InputRecorder(settings.inputs, self._detectors.quietly)
        self._regions = RegionClock()
        self._patches = ExitStack()
        self._book = Logbook()
        self._first_ns = 0
        self._start_ns = 0
        self._inside = False  # of a step, as opposed to set-up and pauses
        self._fresh = True  # no forward yet since the step or the last backward began
        self._ops_at_start: int | None = None
        self._calls_at_start = 0
        self._dead = False
        self.forgotten = False
        self._env: dict[str, str] = {}

    def __enter__(self) -> Session:
        self._env = environment()
        self._patches.enter_context(marking(self))
        self._detectors.open()
        self._lead_in()
        self.evidence.paused = False
        _sessions.add(self)
        instrument.activate(self)
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Switch everything off. Safe to call twice."""
        if self._dead:
            return
        self._dead = True
        self._inputs.disarm()
        instrument.activate(None)
        self.evidence.paused = True
        self._sampling.off()
        self._light.off()
        self._detectors.close()
        self._patches.close()
        self._progress.close()
        self._env = environment()  # again: by now the program may have woken the GPU

    def forget(self) -> None:
        """This is a forked child: become deaf, write nothing."""
        self._dead = self.forgotten = True
        self.evidence.paused = True
        if instrument.active() is self:
            instrument.activate(None)

    def where(self) -> str:
        """Where the program is now, for people: "in step 12", "before the first step"."""
        return f"in step {self._book.index}" if self.finder.begun else "before the first step"

    def run(self, ended: str, exit_code: int | None) -> Run:
        """What was recorded so far."""
        deep = self._book.measured("deep")
        steps = tuple(self._book.steps)
        syncs = tuple(s for s in self.evidence.records() if s.step in deep or s.step is None)
        return Run(
            name=self.directory.path.name,
            command=self.settings.command,
            device=self._detectors.device,
            directory=self.directory.path,
            env=self._env,
            step_marker=self.finder.text(),
            steps=steps,
            syncs=syncs,
            ops=self._light.ops,
            regions=self._regions.sums(self._book.measured()),
            launches_per_step=self._book.launches(self._light.ops),
            overhead={**overhead(steps), **self._pretence_overhead()},
            gaps=self._gaps(syncs),
            ended=ended,
            exit_code=exit_code,
            trace=self._light.file,
            events=self._light.events,
            samples=self._sampling.samples(),
            costs=self._costs.rows(),
            costed_steps=self._costs.steps,
            peaks=self._costs.peaks(self._detectors.device) if self._dead else None,
        )

    def _pretence_overhead(self) -> dict[str, float | None]:
        """What the pretence makes of a bare step, as a ratio to the step without it."""
        if self._detectors.device != "pretend-cuda":
            return {}
        return {"pretence": self._book.pretence(self._detectors.call_cost_ns)}

    def finish(self, ended: str, exit_code: int | None) -> Run:
        """Close and write the final run."""
        self.close()
        self._export()
        run = self.directory.write(self.run(ended, exit_code))
        self._inputs.write(self.directory.path)
        return run

    # What the finder decides.

    def begin(self, now: int) -> None:
        if self._dead:
            return
        if not self._first_ns:
            self._first_ns = now
            self._sampling.on()
            self._detectors.off()  # they were on for the set-up
            if self._schedule.current == "deep":
                self._detectors.on()
        self._open_step(now)

    def end(self, now: int) -> None:
        if self._dead:
            return
        self._inputs.disarm()
        self.evidence.paused = True
        before, ops = self._schedule.current, self._ops()
        if before == "warm-up":
            training = self.finder.marker in ("optimizer", "explicit", "region")
            self._detectors.settle(self._book.index + 1, training)
            self._lead_in()
        forwards, self.finder.forwards_in_step = self.finder.forwards_in_step, 0
        label: Instrument = "warm-up"
        if not self._book.is_odd(forwards):
            label = self._schedule.step_ended(now - self._start_ns, now - self._first_ns)
        self._regions.step_ended(self._book.index, now, ops)
        if before == "deep":
            self.evidence.settle("other")
            self._costs.end(label == "deep")
        elif before == "light":
            self._light.step()
        counted = None if ops is None else ops - (self._ops_at_start or 0)
        calls = self._detectors.calls - self._calls_at_start
        self._book.add(label, self._start_ns, now, counted, calls)
        after = self._schedule.current
        if after != before:
            self._change(before, after)
        self._progress.step(after, self._book.index)
        self._open_step(perf_counter_ns())
        if after == "after" and before != "after":
            self._sampling.off()
        if after == "after" and before != "after" and self._may_stop():
            raise MeasuringDone

    def pause(self) -> None:
        self._inputs.disarm()
        self.evidence.paused = True
        self._inside = False

    def restart(self) -> None:
        if self._dead:
            return
        self._book.restart()
        if self._schedule.current == "deep":
            self._detectors.off()
        self._costs.drop()
        self._light.drop()
        self._schedule.restart()

    # What the program does.

    def forward_started(self, key: int, now: int) -> None:
        if self._dead:
            return
        self.finder.forward_started(key, now)
        if self._fresh and self._schedule.current == "deep":
            self._settle("other")  # before the first forward: data, logging
        self._fresh = False
        self.evidence.in_forward = True

    def forward_ended(self, key: int, model: str, learns: bool, now: int) -> None:
        if self._dead:
            return
        self.evidence.in_forward = False
        self.finder.forward_ended(key, model, learns, now)

    def loader_next(self, key: int, now: int) -> None:
        if not self._dead:
            self.finder.loader_next(key, now)

    def loader_exhausted(self, key: int) -> None:
        if not self._dead:
            self.finder.loader_exhausted(key)

    def backward_started(self, now: int) -> None:
        if self._dead:
            return
        if self._schedule.current == "deep":
            self._settle("forward")  # between forward and backward: the loss
        self._fresh = True
        self.finder.backward_started(now)

    def optimizer_made(self) -> None:
        self.finder.optimizer_made()

    def optimizer_stepped(self, key: int, now: int) -> None:
        if not self._dead:
            self.finder.optimizer_stepped(key, now)

    def explicit_step(self) -> None:
        if not self._dead:
            self.finder.explicit(perf_counter_ns())

    def region_entered(self, name: str) -> None:
        if self._dead:
            return
        self.finder.region_entered(name, perf_counter_ns())
        if self._schedule.current != "after":
            self._regions.enter(name, self._step(), perf_counter_ns(), self._ops())
            self.evidence.region = self._regions.innermost

    def region_left(self, name: str) -> None:
        if self._dead:
            return
        now = perf_counter_ns()
        self._regions.leave(name, self._step(), now, self._ops())
        self.evidence.region = self._regions.innermost
        self.finder.region_left(name, now)

    def _settle(self, phase: Phase) -> None:
        self.evidence.settle(phase)
        self._costs.settle(phase)

    # How instruments change.

    def _change(self, before: Instrument, after: Instrument) -> None:
        self._detectors.drain()
        if before == "deep":
            self._detectors.off()
            self._bound_light()
        elif before == "light":
            self._light.off()
        if before != "warm-up":
            self._save_so_far()
        if after == "deep":
            self._detectors.on()
        elif after == "light":
            self._light.on()

    def _lead_in(self) -> None:
        """Without a device tags spread from modules' inputs: what the step before left has none yet."""
        self._schedule.lead_in = 1 if self._detectors.device == "cpu" else 0

    def _open_step(self, now: int) -> None:
        deep = self._schedule.current == "deep"
        if deep:
            self._costs.begin(self._detectors.device, self._detectors.pretence)
            self._inputs.arm(self._book.index)
        self._start_ns = now
        self._inside = True
        self._fresh = True
        self._ops_at_start = self._ops()
        self._calls_at_start = self._detectors.calls
        self._regions.step_began(now, self._ops_at_start)
        self.evidence.step = self._book.index
        self.evidence.paused = not deep

    def _step(self) -> int | None:
        return self._book.index if self._inside else None

    def _ops(self) -> int | None:
        return self._detectors.dispatched if self._schedule.current == "deep" else None

    def _bound_light(self) -> None:
        """Fewer light steps where three would exceed the limit on the trace."""
        most = affordable_steps(self._book.most_ops(), self.settings.limits.max_bytes)
        self._schedule.light_steps = min(self._schedule.light_steps, most)

    def _save_so_far(self) -> None:
        """A full disk must not end the program; the final write will complain."""
        try:
            self.directory.write(self.run("was still running when this was written", None))
        except PerfkitError:
            return
        self._export()

    def _export(self) -> None:
        if self._schedule.taken("light") and self.directory.path.is_dir():
            self._light.export(self.directory.path, self.directory.path.name)

    def _may_stop(self) -> bool:
        return self.settings.stop_after and threading.current_thread() is threading.main_thread()

    def _gaps(self, syncs: tuple[Sync, ...]) -> tuple[Gap, ...]:
        gaps = [
            *self._book.gaps(),
            *self._detectors.gaps(),
            *self._light.gaps(),
            *self._costs.gaps(),
            *self._inputs.gaps(),
        ]
        if not self._book.steps:
            gaps.append(Gap("steps", self.no_steps()))
        if self._detectors.device == "cuda":
            deep, light = self._book.measured("deep"), self._book.measured("light")
            gaps += disagreements(syncs, len(deep), self._light.waits, len(light))
        if self._detectors.device == "pretend-cuda":
            gaps.append(
                Gap(
                    "device time and true step times",
                    "there is no GPU here: steps ran on the CPU under the pretend device, also the "
                    "bare ones; overheads are ratios to such a step",
                )
            )
        return tuple(gaps)

    def no_steps(self) -> str:
        """What was looked for and found, when no step was."""
        seen = self.finder.seen
        if self.finder.region is not None:
            return f"no pass through a region named {self.finder.region!r} was completed"
        return (
            f"no step was completed (seen: {seen['optimizer']} optimizer.step, "
            f"{seen['loader']} DataLoader batches, {seen['forward']} module forwards, "
            f"{seen['backward']} backwards)"
        )


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def _forked() -> None:
    for session in list(_sessions):
        session.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
