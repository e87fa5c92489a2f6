"""The light instrument: a Kineto trace without stacks or shapes, with a mark for each step.

Two files come of it: `<worker>.<milliseconds>.pt.trace.json.gz`, which TensorBoard's plugin reads
rightly, and `kineto.json.gz`, as Kineto wrote it; the plugin does not find the second, so nothing
is shown twice.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from isal import igzip
from torch.autograd import profiler
from torch.profiler import ProfilerAction, ProfilerActivity, profile

from perfkit.base.files import replacing
from perfkit.io.tb_compat import convert
from perfkit.model.run import Gap

_SILENT = "6"
_ENTRANCES = ("_prepare_profiler", "_enable_profiler")
ORIGINAL = "kineto.json.gz"
_UNFIT = re.compile(r"[^\w.-]+")


class KinetoTrace:
    """Records from `start` to `stop`; `step` marks the end of a step and the beginning of the next.

    What lies between the last `step` and `stop` is no step unless an operator ran there.

    Attributes:
        gaps: what could not be turned on, or was mended.
    """

    def __init__(self) -> None:
        self.gaps: list[Gap] = []
        self._profile: profile | None = None
        self._running = False
        self._expects_device = False
        self._watch: _Watch | None = None

    def start(self) -> None:
        """Begin to record; a profiler that already runs is left alone, and told as a gap."""
        if torch.autograd._profiler_enabled():  # a second one would silently end the first
            self._gap("the trace", "the program runs a profiler of its own")
            return
        activities = _activities()
        self._expects_device = ProfilerActivity.CUDA in activities
        self._profile = profile(
            activities=activities,
            schedule=_always,
            record_shapes=False,
            with_stack=False,
            experimental_config=self._config(),
        )
        with _quiet():
            self._profile.start()
        self._running = True
        self._watch = _Watch(self._give_way)

    def step(self) -> None:
        """A step ended and another begins."""
        if self._profile is not None and self._running:
            self._profile.step()

    def stop(self) -> None:
        """End the recording; it stays in memory until `export`."""
        if self._profile is None or not self._running:
            return
        self._running = False
        if self._watch is not None:
            self._watch.close()
        self._profile.stop()

    def _give_way(self) -> None:
        """The program starts a profiler of its own: torch has room for one."""
        self._gap("the trace after that", "the program started a profiler of its own")
        self.stop()

    def export(self, directory: Path, worker: str) -> str | None:
        """Write both files; the name of TensorBoard's one, or None where nothing was recorded.

        Raises:
            PerfkitError: the directory cannot be written.
        """
        if self._profile is None or self._running:
            return None
        name = (
            f"{_UNFIT.sub('_', worker) or 'worker'}.{time.time_ns() // 1_000_000}.pt.trace.json.gz"
        )
        with replacing(directory / ORIGINAL) as compressed:
            raw = compressed.with_suffix(".json")
            try:
                self._profile.export_chrome_trace(str(raw))
                converted = convert(raw, directory / name)
                with raw.open("rb") as source, igzip.open(compressed, "wb", compresslevel=1) as out:
                    shutil.copyfileobj(source, out, 1 << 20)
            finally:
                raw.unlink(missing_ok=True)
        self.gaps += converted.gaps
        if self._expects_device and not converted.has_device:
            self._gap(
                "device time", "the trace holds no kernels; `perfkit doctor` looks into CUPTI"
            )
        return name

    def _config(self) -> Any:
        """Kineto's experimental settings that this torch knows."""
        wanted: dict[str, Any] = {"trace_only": True}
        if self._expects_device:
            wanted["enable_cuda_sync_events"] = True
        make = getattr(torch._C._profiler, "_ExperimentalConfig", None)
        if make is None:
            self._gap("stream and event waits of the device", "this torch has no setting for them")
            return None
        while wanted:
            try:
                return make(**wanted)
            except TypeError:  # an older torch: drop the newest setting first
                dropped = next(iter(wanted))
                del wanted[dropped]
                if dropped == "enable_cuda_sync_events":
                    self._gap(
                        "stream and event waits of the device", "this torch has no setting for them"
                    )
        return None

    def _gap(self, what: str, why: str) -> None:
        self.gaps.append(Gap(what, why))


class _Watch:
    """Calls `foreign` before any other profiler starts in this process.

    Without it the other would silently replace ours, and exporting ours would crash the process
    (seen with torch 2.13).
    """

    def __init__(self, foreign: Callable[[], None]) -> None:
        self._saved = {
            name: getattr(profiler, name) for name in _ENTRANCES if hasattr(profiler, name)
        }
        for name, entrance in self._saved.items():
            setattr(profiler, name, self._guarded(entrance, foreign))

    def close(self) -> None:
        """Put torch's own functions back."""
        for name, entrance in self._saved.items():
            setattr(profiler, name, entrance)
        self._saved.clear()

    @staticmethod
    def _guarded(entrance: Callable[..., Any], foreign: Callable[[], None]) -> Callable[..., Any]:
        @wraps(entrance)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            foreign()
            return entrance(*args, **kwargs)

        return guarded


def _activities() -> list[ProfilerActivity]:
    """The CPU, and the GPU where this torch can trace one that is there."""
    found = [ProfilerActivity.CPU]
    if ProfilerActivity.CUDA in torch.profiler.supported_activities() and torch.cuda.is_available():
        found.append(ProfilerActivity.CUDA)
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Kineto reads its log level when it first starts: keep its chatter out of the program's output."""
    name = "KINETO_LOG_LEVEL"
    before = os.environ.get(name)
    os.environ.setdefault(name, _SILENT)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)


def _always(step: int) -> ProfilerAction:
    return ProfilerAction.RECORD
