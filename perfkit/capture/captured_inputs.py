"""Saves the arguments of real calls: one call per deep step of the regions, functions or modules named.

A name is that of a `perfkit.instrument` region, the class of an nn.Module (its forward), or
`module:function` (`module:Class.method`; for a script its file name or `__main__`). Functions are seen
through Python's profile hook, which is on from the start of a deep step until each name was called, so
no import is patched. Files: `captured/<name>/<step>.safetensors` in the run's folder.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from perfkit.base.errors import PerfkitError
from perfkit.base.units import nbytes as in_bytes
from perfkit.capture import instrument
from perfkit.model.run import Gap
from perfkit.rewrites import _inputs_file
from perfkit.rewrites._inputs_tree import Packed

FOLDER = "captured"
DEFAULT_BYTES = 256 * 2**20
Quietly = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class AskedInputs:
    """Whose arguments to save, and at most how many bytes in all.

    Raises:
        PerfkitError: a name that can never be called.
    """

    names: tuple[str, ...] = ()
    limit: int = DEFAULT_BYTES

    def __post_init__(self) -> None:
        for name in self.names:
            if not name.strip() or (":" in name and not all(name.partition(":")[::2])):
                raise PerfkitError(
                    f"--capture-inputs {name!r} names nothing",
                    "name a perfkit.instrument region, an nn.Module class, or module:function",
                )


@dataclass
class _Target:
    """One name, and what became of it."""

    text: str
    step: int | None = None  # that still wants a call
    calls: list[tuple[int, Packed | None]] = field(default_factory=list)
    problems: dict[str, int] = field(default_factory=dict)

    @property
    def function(self) -> str:
        """What the code object must be called: the forward of a class, or the function's own name."""
        return self.text.rpartition(":")[2].rpartition(".")[2] if ":" in self.text else "forward"

    def is_called(self, frame: FrameType) -> bool:
        """Whether this frame is a call of it."""
        code = frame.f_code
        if ":" not in self.text:
            kind = type(_own(frame))
            return kind.__name__ == self.text and issubclass(kind, torch.nn.Module)
        module, _, path = self.text.partition(":")
        if getattr(code, "co_qualname", path).replace("<locals>.", "") != path:
            return False
        stem = Path(code.co_filename).stem
        wanted = module.removesuffix(".py")
        return frame.f_globals.get("__name__") == module or stem == Path(wanted).name


class InputRecorder:
    """Waits for calls in deep steps and keeps their arguments until the run's folder is there.

    Args:
        asked: calls beyond its limit are left out and told.
        quietly: a context inside which our own copying leaves no evidence.
    """

    def __init__(self, asked: AskedInputs, quietly: Quietly) -> None:
        self._targets = [_Target(name) for name in dict.fromkeys(asked.names)]
        self._left = self._limit = asked.limit
        self._quietly = quietly
        self._before: Any = None
        self._armed = self._profiling = False
        self._pid = os.getpid()

    def arm(self, step: int) -> None:
        """A deep step begins: its first call of each name will be kept."""
        if not self._targets:
            return
        for target in self._targets:
            target.step = step
        self._armed = True
        instrument.hear_calls(self._region_called)
        self._before = sys.getprofile()
        self._profiling = True
        sys.setprofile(self._profile)

    def disarm(self) -> None:
        """The step is over, called or not."""
        if self._armed:
            self._armed = False
            instrument.hear_calls(None)
            self._stop_profiling()
            for target in self._targets:
                target.step = None

    def write(self, folder: Path) -> None:
        """Save what was kept and is not saved yet.

        Raises:
            PerfkitError: the folder cannot be written.
        """
        for target in self._targets:
            for index, (step, packed) in enumerate(target.calls):
                if packed is not None:
                    path = folder / FOLDER / _safe(target.text) / f"{step}.safetensors"
                    _inputs_file.save(path, target.text, packed)
                    target.calls[index] = (step, None)

    def gaps(self) -> tuple[Gap, ...]:
        """What was not kept, and why."""
        found = []
        for target in self._targets:
            for why, count in target.problems.items():
                times = "" if count == 1 else f" ({count} calls)"
                found.append(Gap(f"captured inputs of {target.text}", why + times))
            if not target.calls and not target.problems:
                why = (
                    "no call in a deep step; a region needs a decorated function, since a `with` "
                    "block has no arguments, and what was compiled is not seen"
                )
                found.append(Gap(f"captured inputs of {target.text}", why))
        return tuple(found)

    def _region_called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for target in self._targets:
            if target.text == name and target.step is not None:
                self._keep(target, args, kwargs, None)

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if os.getpid() != self._pid:  # a forked child inherits the hook
            sys.setprofile(self._before)
            return
        if self._before is not None:
            self._before(frame, event, argument)
        if event != "call":
            return
        for target in self._targets:
            if (
                target.step is not None
                and frame.f_code.co_name == target.function
                and target.is_called(frame)
            ):
                self._keep(target, *_arguments(frame))

    def _keep(
        self, target: _Target, args: tuple[Any, ...], kwargs: dict[str, Any], module: Any
    ) -> None:
        step, target.step = target.step, None
        assert step is not None
        with self._quietly(), _disable_current_modes(), _no_profile():
            tree: dict[str, Any] = {"args": list(args), "kwargs": kwargs}
            packed = Packed(tree)
            if module is not None and not packed.why_not:
                whole = {**tree, "state": _state(module)}
                again = Packed({**whole, "self": module}, modules=True)
                again = Packed(whole) if again.why_not else again
                if again.nbytes <= self._left and not again.why_not:
                    packed = again
                else:
                    _count(target, "the module's own parameters do not fit and were left out")
            if packed.why_not:
                _count(target, f"not replayable because {'; '.join(packed.why_not[:3])}")
            elif packed.nbytes > self._left:
                _count(
                    target,
                    f"a call of {in_bytes(packed.nbytes)} was left out: of {in_bytes(self._limit)} "
                    f"for all, {in_bytes(self._left)} are left (--capture-bytes)",
                )
                return
            if not packed.why_not:
                self._left -= packed.nbytes
                packed.copied()
            else:
                packed.forget_tensors()
            target.calls.append((step, packed))
        if all(other.step is None for other in self._targets):
            self._stop_profiling()

    def _stop_profiling(self) -> None:
        if self._profiling and sys.getprofile() == self._profile:
            sys.setprofile(self._before)
        self._profiling = False


@contextmanager
def _no_profile() -> Iterator[None]:
    """Our own calls are not the program's."""
    before = sys.getprofile()
    sys.setprofile(None)
    try:
        yield
    finally:
        sys.setprofile(before)


def _count(target: _Target, why: str) -> None:
    target.problems[why] = target.problems.get(why, 0) + 1


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip(".") or "_"


def _own(frame: FrameType) -> Any:
    """The first positional argument of a call, None where there is none."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _arguments(frame: FrameType) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    """Positional arguments, named ones, and the module whose method it is (not among them)."""
    code: CodeType = frame.f_code
    held, names, position = frame.f_locals, code.co_varnames, code.co_argcount
    args = [held[name] for name in names[:position]]
    named = names[position : position + code.co_kwonlyargcount]
    kwargs = {name: held[name] for name in named}
    position += code.co_kwonlyargcount
    if code.co_flags & inspect.CO_VARARGS:
        args += held[names[position]]
        position += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        kwargs.update(held[names[position]])
    if args and names[0] == "self" and issubclass(type(args[0]), torch.nn.Module):
        return tuple(args[1:]), kwargs, args[0]
    return tuple(args), kwargs, None


def _state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}
