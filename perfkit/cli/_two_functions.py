"""What `perfkit compare` does with two functions and a list of files, printing nothing."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from perfkit.base.errors import PerfkitError
from perfkit.cli._device import device_name
from perfkit.rewrites import _behaviour, _inputs_file, _tree, _winner
from perfkit.rewrites._own import MISTAKES
from perfkit.rewrites._parity import cotangent
from perfkit.rewrites._timing import one_thread

Function = Callable[..., Any]
_MOST_LINES = 12


@dataclass(frozen=True)
class Asked:
    """The options as given."""

    tolerance: float | None = None
    device: str = "auto"
    rounds: int = 31
    seed: int = 0
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compared:
    """One file. `behaviour` is None where the call cannot be replayed, `winner` where nothing was timed."""

    path: Path
    why_not: tuple[str, ...]
    notes: tuple[str, ...]
    behaviour: _behaviour.Behaviour | None
    winner: _winner.Winner | None

    def verdict(self, strict: bool) -> str:
        """In a few words."""
        if self.behaviour is None:
            return "not replayable"
        level = self.behaviour.level(strict)
        if level == "different" or self.behaviour.compared:
            return level
        return f"{level}, but nothing was returned to compare"

    def lines(self) -> list[str]:
        """Everything below the verdict."""
        told = list(self.why_not)
        if self.behaviour is not None:
            told.append(
                f"{self.behaviour.compared} values and {self.behaviour.gradients} gradients compared, "
                f"largest relative error {self.behaviour.worst_error:.1e}"
            )
            differences = [d.text() for d in self.behaviour.differences]
            told += differences[:_MOST_LINES]
            if len(differences) > _MOST_LINES:
                told.append(f"and {len(differences) - _MOST_LINES} differences more")
        if self.winner is not None:
            told.append(self.winner.text())
        return told + [f"note: {note}" for note in self.notes]

    def to_json(self, strict: bool) -> dict[str, Any]:
        behaviour = None if self.behaviour is None else asdict(self.behaviour)
        if behaviour is not None and behaviour["worst_error"] == float("inf"):
            behaviour["worst_error"] = None
        return {
            "path": str(self.path),
            "verdict": self.verdict(strict),
            "why_not": self.why_not,
            "notes": self.notes,
            "behaviour": behaviour,
            "winner": None if self.winner is None else asdict(self.winner),
        }


def compare_files(before: str, after: str, files: Sequence[Path], asked: Asked) -> list[Compared]:
    """Compare two functions on every file.

    Raises:
        PerfkitError: a function or module that is not there, or a file that cannot be read.
    """
    for name in asked.imports:
        _imported(name)
    first, second = _function(before), _function(after)
    homes = [home for _, home in (first, second)]
    device = torch.device(device_name(asked.device))
    return [_compared(first[0], second[0], path, homes, device, asked) for path in files]


def _compared(
    before: Function,
    after: Function,
    path: Path,
    homes: list[ModuleType],
    device: torch.device,
    asked: Asked,
) -> Compared:
    captured = _inputs_file.load(path, homes, device)
    if captured.why_not:
        return Compared(path, captured.why_not, captured.notes, None, None)

    def make() -> tuple[tuple[Any, ...], dict[str, Any]]:
        again = _inputs_file.load(path, homes, device)
        return again.args, {**again.kwargs, "state": again.state} if again.state else again.kwargs

    both = [_with_what_it_takes(function) for function in (before, after)]
    behaviour = _behaviour.compare(both[0], both[1], make, asked.tolerance, asked.seed)
    raised = any(d.aspect == "exception" for d in behaviour.differences)
    winner = None
    if asked.rounds and not raised:
        try:
            winner = _timed(both[0], both[1], make, device, asked.rounds)
        except MISTAKES as error:  # both raise, or a second call on changed arguments does
            why = f"not timed: a repeated call raises {type(error).__name__}"
            return Compared(path, (), (*captured.notes, why), behaviour, None)
    return Compared(path, (), captured.notes, behaviour, winner)


def _timed(
    before: Function, after: Function, make: Any, device: torch.device, rounds: int
) -> _winner.Winner:
    """CPU time on one thread, or wall time until the GPU is done; the gradient where there is one."""
    calls = [functools.partial(_once, function, *make()) for function in (before, after)]
    if device.type == "cuda":
        wait: Callable[[], None] = torch.cuda.synchronize
        clock, threads = time.perf_counter, nullcontext()
    else:
        wait, clock, threads = _nothing, time.process_time, one_thread()  # type: ignore[assignment]
    with threads:
        return _winner.judge(_winner.measured(calls[0], calls[1], wait, rounds, clock))


def _once(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    wanted = _behaviour.differentiable((args, kwargs))
    output = function(*args, **kwargs)
    ours = [t for t in _tree.tensors(output) if t.requires_grad]
    if wanted and ours:
        torch.autograd.grad(ours, wanted, [cotangent(t) for t in ours], allow_unused=True)


def _nothing() -> None:
    """A CPU has done what was called."""


def _with_what_it_takes(function: Function) -> Function:
    """The function without `state` where it has no such parameter."""
    try:
        takes = "state" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        takes = False

    def call(*args: Any, **kwargs: Any) -> Any:
        if not takes:
            kwargs.pop("state", None)
        return function(*args, **kwargs)

    return call


def _function(text: str) -> tuple[Function, ModuleType]:
    home, _, path = text.rpartition(":")
    if not home or not path:
        raise PerfkitError(
            f"{text!r} names no function", "write module:function or file.py:function"
        )
    module = _from_file(Path(home)) if home.endswith(".py") else _imported(home)
    found: Any = module
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        there = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise PerfkitError(
            f"{home} has no function {path}", f"there are: {', '.join(there[:20]) or 'none'}"
        )
    return found, module


def _imported(name: str) -> ModuleType:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PerfkitError(
            f"cannot import {name}: {error}", "run from the folder it lies in, or name its file"
        ) from error


def _from_file(path: Path) -> ModuleType:
    name = f"perfkit_compared_{path.stem}_{abs(hash(path.absolute()))}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise PerfkitError(f"there is no {path}", "name the file that defines the function")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while they are made
    if str(path.absolute().parent) not in sys.path:
        sys.path.insert(0, str(path.absolute().parent))
    try:
        spec.loader.exec_module(module)
    except (*MISTAKES, ImportError, OSError, SyntaxError) as error:
        del sys.modules[name]
        raise PerfkitError(
            f"{path} raises {type(error).__name__} when it is imported: {error}",
            "put the program's start under `if __name__ == '__main__':`",
        ) from error
    return module
