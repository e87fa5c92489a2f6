"""What `perfkit compare` does with two functions and a list of files, printing nothing."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from perfkit.cli._device import device_name
from perfkit.cli._found_functions import Function, function, imported
from perfkit.rewrites import _behaviour, _inputs_file, _tree, _winner
from perfkit.rewrites._own import MISTAKES
from perfkit.rewrites._parity import cotangent
from perfkit.rewrites._timing import one_thread

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
        if level == "different" or self.proves:
            return level
        if self.behaviour.raised:
            return f"not compared: both raise {self.behaviour.raised}"
        return "not compared: nothing was returned"

    @property
    def proves(self) -> bool:
        """Whether there were results to compare; a call that fails on both sides has none."""
        return bool(self.behaviour and self.behaviour.compared and not self.behaviour.raised)

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
        imported(name)
    first, second = function(before), function(after)
    return compare_functions(first, second, files, asked)


def compare_functions(
    before: tuple[Function, ModuleType],
    after: tuple[Function, ModuleType],
    files: Sequence[Path],
    asked: Asked,
) -> list[Compared]:
    """Compare two functions, each with the module it is from, on every file.

    Raises:
        PerfkitError: a file that cannot be read.
    """
    homes = [home for _, home in (before, after)]
    device = torch.device(device_name(asked.device))
    return [_compared(before[0], after[0], path, homes, device, asked) for path in files]


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
        if not again.state and again.module is None:
            return again.args, again.kwargs
        return again.args, {**again.kwargs, "state": _State(again)}

    both = [_with_what_it_takes(function) for function in (before, after)]
    behaviour = _behaviour.compare(both[0], both[1], make, asked.tolerance, asked.seed)
    raised = any(d.aspect == "exception" for d in behaviour.differences)
    winner = None
    if asked.rounds and not raised:
        try:
            winner = _timed(both[0], both[1], make, device, asked.rounds)
        except MISTAKES as error:  # both raise, or a second call on changed arguments does
            why = f"not timed: a repeated call raises {type(error).__name__}: {error}"
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


class _State(dict[str, torch.Tensor]):
    """Parameters and buffers by name, and the module they belong to where it was kept."""

    def __init__(self, captured: _inputs_file.Captured) -> None:
        super().__init__(captured.state)
        self.module = captured.module


def _with_what_it_takes(function: Function) -> Function:
    """The function with the captured module as `self`, or without `state` where it has no such parameter.

    Of a method the result includes what it leaves behind in attributes of its module.
    """
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []

    def call(*args: Any, **kwargs: Any) -> Any:
        state = kwargs.pop("state", None) if "state" not in names else None
        module = state.module if isinstance(state, _State) and names[:1] == ["self"] else None
        if module is None:
            return function(*args, **kwargs)
        result = function(module, *args, **kwargs)
        left = {n: v for n, v in vars(module).items() if isinstance(v, (torch.Tensor, int, float))}
        return {"result": result, "self": left}

    return call
