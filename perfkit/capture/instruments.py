"""The instrument of deep steps: the sync detectors, in one of three settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal, Protocol

import torch

from perfkit.base.errors import PerfkitError
from perfkit.capture.asked import Asked
from perfkit.capture.compiler import eagerly
from perfkit.detectors.evidence import Evidence, listening
from perfkit.detectors.watch_cuda import watch_cuda
from perfkit.model.run import Device, Gap
from perfkit.pretend import Pretence as WholePretence
from perfkit.pretend import assume_moved, pretend_cuda

_SURE_AFTER = 2
Wanted = Literal["auto", "cuda", "pretend-cuda", "cpu"]


class Pretence(Protocol):
    """What every setting's context manager hands out."""

    classify: bool

    @property
    def used(self) -> bool: ...
    @property
    def dispatched(self) -> int: ...
    def notes(self) -> tuple[Gap, ...]: ...


def choose(wanted: Wanted) -> Device:
    """The setting for this machine.

    Raises:
        PerfkitError: "cuda" was asked for and there is no CUDA device.
    """
    there = _cuda_is_there()
    if wanted == "cuda" and not there:
        raise PerfkitError(
            "there is no CUDA device that torch can use",
            "ask `perfkit doctor` why, or use --device pretend-cuda",
        )
    if wanted == "auto":
        return "cuda" if there else "pretend-cuda"
    return wanted


def _cuda_is_there() -> bool:
    """Ask NVML: asking the driver would fix CUDA_VISIBLE_DEVICES and forbid forking, before the
    program had its say."""
    name = "PYTORCH_NVML_BASED_CUDA_CHECK"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        return torch.cuda.is_available()
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


class Detectors:
    """The sync detectors in one setting.

    The pretence lasts as long as the program, because its tensors must stay "on the device" between
    steps; the other settings are entered for deep steps only.

    Attributes:
        device: the setting in force.
        call_cost_ns: what the pretence adds to one operator call; None where there is none, and
            until the end.
    """

    def __init__(self, wanted: Wanted, evidence: Evidence) -> None:
        self.device = choose(wanted)
        self._may_leave = wanted == "auto" and self.device == "pretend-cuda"
        self._asked = Asked()
        self._evidence = evidence
        self._whole = ExitStack()
        self._deep = ExitStack()
        self._now: Pretence | None = None
        self._notes: dict[Gap, None] = {}
        self._dispatched = 0
        self.call_cost_ns: float | None = None

    def open(self) -> None:
        """The program is about to start; its set-up is watched where that costs no setting change."""
        if self.device == "pretend-cuda":
            self._now = self._whole.enter_context(pretend_cuda())
            self._whole.enter_context(self._asked.listening())
            self._deep.enter_context(listening(self._evidence))

    def settle(self, steps: int, training: bool) -> None:
        """Leave a pretence that the program does not use: it would tell nothing about it.

        A program that never heard of CUDA cannot miss it; one that did might still move there, so
        it must have trained for two steps without. Taking the device away later would break it.
        """
        if not self._may_leave or self._now is None or self._now.used:
            return
        if not (training and steps >= _SURE_AFTER) and self._asked.by_program():
            return
        self._may_leave = False
        self._deep.close()
        self._whole.close()
        self._now = None
        self.device = "cpu"
        self._note(
            "certainty of the synchronisation points",
            "the program never used a CUDA device, so it was read as if parameters and batches "
            "had been moved to one",
        )

    def on(self) -> None:
        """A deep step begins."""
        self._deep.enter_context(listening(self._evidence))
        if self.device == "cuda":
            self._now = self._deep.enter_context(watch_cuda())
        elif self.device == "cpu":
            self._deep.enter_context(eagerly())
            self._now = self._deep.enter_context(assume_moved())
        if self._now is not None:
            self._now.classify = True

    def off(self) -> None:
        """The deep steps end."""
        if self._now is not None:
            self._now.classify = False
        self._deep.close()
        if self.device != "pretend-cuda" and self._now is not None:
            self._keep(self._now)
            self._now = None

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Our own work inside leaves no evidence."""
        now = self._now
        before = now.classify if now is not None else False
        if now is not None:
            now.classify = False
        try:
            yield
        finally:
            if now is not None:
                now.classify = before

    def drain(self) -> None:
        """Let the GPU finish what one instrument measured before the next begins."""
        if self.device == "cuda" and torch.cuda.is_initialized():
            torch.cuda.synchronize()

    def close(self) -> None:
        """The program ended."""
        self._deep.close()
        if self._now is not None:
            if self.device == "pretend-cuda" and not self._now.used:
                self._note(
                    "syncs and transfers",
                    "the program placed nothing on the pretend device; --device cpu reads it as if "
                    "it had been moved to one",
                )
            if isinstance(self._now, WholePretence):
                self.call_cost_ns = self._now.call_cost_ns()
            self._keep(self._now)
            self._now = None
        self._whole.close()

    @property
    def pretence(self) -> WholePretence | None:
        """The pretence that runs now, if any."""
        return self._now if isinstance(self._now, WholePretence) else None

    @property
    def calls(self) -> int:
        """Operator calls that went through the pretence so far; 0 where there is none."""
        return self._now.calls if isinstance(self._now, WholePretence) else 0

    @property
    def dispatched(self) -> int | None:
        """Leaf operators on the device so far; None where this setting does not count them."""
        if self.device == "cuda":
            return None
        return self._dispatched + (self._now.dispatched if self._now is not None else 0)

    def gaps(self) -> tuple[Gap, ...]:
        """What the detectors could not see."""
        if self.device != "pretend-cuda":
            return tuple(self._notes)
        why = (
            "there is no GPU here: steps ran on the CPU under the pretend device, also the bare ones; "
            "overheads are ratios to such a step"
        )
        return (Gap("device time and true step times", why), *self._notes)

    def _keep(self, pretence: Pretence) -> None:
        self._dispatched += pretence.dispatched
        for note in pretence.notes():
            self._notes[note] = None

    def _note(self, what: str, why: str) -> None:
        self._notes[Gap(what, why)] = None
