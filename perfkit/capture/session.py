"""One capture from beginning to end: marks come in, instruments change between steps, a `Run` comes out."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import ExitStack
from dataclasses import replace
from time import perf_counter_ns

from perfkit.base.errors import PerfkitError
from perfkit.capture import instrument
from perfkit.capture.environment import environment
from perfkit.capture.marks import marking
from perfkit.capture.progress import Progress
from perfkit.capture.recorders import Recorders, no_steps
from perfkit.capture.recorders import Settings as Settings
from perfkit.capture.script import MeasuringDone
from perfkit.capture.steps import StepFinder
from perfkit.detectors.evidence import Evidence
from perfkit.io.rundir import RunDirectory
from perfkit.model.run import Instrument, Run
from perfkit.model.syncs import Phase


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
        self._parts = Recorders(settings, self.evidence)
        self._patches = ExitStack()
        self._first_ns = self._start_ns = 0
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
        self._parts.open()
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
        self._parts.compiler.look(self._parts.book.index if self._first_ns else None)
        self._parts.inputs.disarm()
        instrument.activate(None)
        self.evidence.paused = True
        self._parts.sampling.off()
        self._parts.light.off()
        self._parts.costs.end(False)  # a step that never ends counts nowhere
        self._parts.detectors.close()
        self._patches.close()
        self._progress.close()
        self._env = environment()  # again: by now the program may have woken the GPU

    def forget(self) -> None:
        """This is a forked child: become deaf, write nothing."""
        self._dead = self.forgotten = True
        self.evidence.paused = True
        if instrument.active() is self:
            instrument.activate(None)

    @property
    def measured(self) -> bool:
        """The schedule has all that it wants."""
        return self._parts.schedule.current == "after"

    def where(self) -> str:
        """Where the program is now, for people: "in step 12", "before the first step"."""
        return f"in step {self._parts.book.index}" if self.finder.begun else "before the first step"

    def run(self, ended: str, exit_code: int | None) -> Run:
        """What was recorded so far."""
        return replace(
            self._parts.run(self.no_steps(), ended=self._dead),
            name=self.directory.name,
            command=self.settings.command,
            directory=self.directory.path,
            env=self._env,
            step_marker=self.finder.text(),
            ended=ended,
            exit_code=exit_code,
        )

    def finish(self, ended: str, exit_code: int | None) -> Run:
        """Close and write the final run."""
        self.close()
        self._parts.export(self.directory.path)
        run = self.directory.write(self.run(ended, exit_code))
        self._parts.inputs.write(self.directory.path)
        return run

    # What the finder decides.

    def begin(self, now: int) -> None:
        if self._dead:
            return
        if not self._first_ns:
            self._parts.compiler.look(None)
            self._first_ns = now
            self._parts.sampling.on()
            self._parts.detectors.off()  # they were on for the set-up
            if self._parts.schedule.current == "deep":
                self._parts.detectors.on()
        self.finder.forwards_in_step = 0  # those of a pause would make the next step look odd
        self._open_step(now)

    def end(self, now: int) -> None:
        if self._dead:
            return
        self._parts.inputs.disarm()
        self.evidence.paused = True
        before, ops = self._parts.schedule.current, self._ops()
        if before == "warm-up":
            training = self.finder.marker in ("optimizer", "explicit", "region")
            self._parts.detectors.settle(self._parts.book.index + 1, training)
            self._lead_in()
        self._parts.compiler.look(self._parts.book.index)
        forwards, self.finder.forwards_in_step = self.finder.forwards_in_step, 0
        label: Instrument = "warm-up"
        if not self._parts.book.is_odd(forwards):
            label = self._parts.schedule.step_ended(now - self._start_ns, now - self._first_ns)
        self._parts.regions.step_ended(self._parts.book.index, now, ops)
        if before == "deep":
            self.evidence.settle("other")
            self._parts.costs.end(label == "deep")
        elif before == "light":
            self._parts.light.step()
        counted = None if ops is None else ops - (self._ops_at_start or 0)
        calls = self._parts.detectors.calls - self._calls_at_start
        self._parts.costs.memory.step_ended(self._parts.book.index, self._parts.detectors.device)
        self._parts.book.add(label, self._start_ns, now, counted, calls)
        after = self._parts.schedule.current
        if after != before:
            self._change(before, after)
        self._progress.step(after, self._parts.book.index)
        self._open_step(perf_counter_ns())
        if after == "after" and before != "after":
            self._parts.sampling.off()
            if self.settings.stop_after and threading.current_thread() is threading.main_thread():
                raise MeasuringDone

    def pause(self) -> None:
        self._parts.inputs.disarm()
        self.evidence.paused = True
        self._inside = False

    def restart(self) -> None:
        if self._dead:
            return
        self._parts.book.restart()
        if self._parts.schedule.current == "deep":
            self._parts.detectors.off()
        self._parts.costs.drop()
        self._parts.light.drop()
        self._parts.schedule.restart()

    # What the program does.

    def forward_started(self, key: int, now: int) -> None:
        if self._dead:
            return
        self.finder.forward_started(key, now)
        if self._fresh and self._parts.schedule.current == "deep":
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
        if self._parts.schedule.current == "deep":
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
        if self._parts.schedule.current != "after":
            self._parts.regions.enter(name, self._step(), perf_counter_ns(), self._ops())
            self.evidence.region = self._parts.regions.innermost

    def region_left(self, name: str) -> None:
        if self._dead:
            return
        now = perf_counter_ns()
        self._parts.regions.leave(name, self._step(), now, self._ops())
        self.evidence.region = self._parts.regions.innermost
        self.finder.region_left(name, now)

    def _settle(self, phase: Phase) -> None:
        self.evidence.settle(phase)
        self._parts.costs.settle(phase)

    # How instruments change.

    def _change(self, before: Instrument, after: Instrument) -> None:
        self._parts.leave(before)
        if before != "warm-up":
            self._save_so_far()
        self._parts.enter(after)

    def _lead_in(self) -> None:
        """Without a device tags spread from modules' inputs: what the step before left has none yet."""
        self._parts.schedule.lead_in = 1 if self._parts.detectors.device == "cpu" else 0

    def _open_step(self, now: int) -> None:
        deep = self._parts.schedule.current == "deep"
        if deep:
            self._parts.costs.begin(self._parts.detectors.device, self._parts.detectors.pretence)
            self._parts.inputs.arm(self._parts.book.index)
        self._start_ns = now
        self._inside = True
        self._fresh = True
        self._ops_at_start = self._ops()
        self._calls_at_start = self._parts.detectors.calls
        self._parts.regions.step_began(now, self._ops_at_start)
        self.evidence.step = self._parts.book.index
        self.evidence.paused = not deep

    def _step(self) -> int | None:
        return self._parts.book.index if self._inside else None

    def _ops(self) -> int | None:
        return self._parts.detectors.dispatched if self._parts.schedule.current == "deep" else None

    def _save_so_far(self) -> None:
        """A full disk must not end the program; the final write will complain."""
        try:
            self.directory.write(self.run("was still running when this was written", None))
        except PerfkitError:
            return
        self._parts.export(self.directory.path)

    def no_steps(self) -> str:
        """What was looked for and found, when no step was."""
        return no_steps(self.finder)


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def _forked() -> None:
    for session in list(_sessions):
        session.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
