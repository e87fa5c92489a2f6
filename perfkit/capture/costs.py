"""What the operators of one deep step cost: every leaf call as shapes, costed when the step is over.

Under a pretence its dispatch mode hands the calls over; on a real GPU a mode of our own sees them.
One step pays for it, all others run as if nothing were here.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from time import perf_counter_ns
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from perfkit.capture.call_sites import CallSites, Site
from perfkit.capture.memory import MemoryRecorder, on_device
from perfkit.capture.operands import OperandRecorder
from perfkit.capture.peaks import cached_here
from perfkit.costs import _index
from perfkit.costs._call import Call, Operand
from perfkit.costs._signature import signature
from perfkit.detectors.evidence import Evidence
from perfkit.detectors.places import resolve
from perfkit.model.costs import OpCost
from perfkit.model.operands import Operands
from perfkit.model.peaks import Peaks
from perfkit.model.run import Device, Gap
from perfkit.model.syncs import Frame, Phase
from perfkit.pretend import Pretence
from perfkit.pretend.placement import Plan

_Key = tuple[Call, "Phase | None", "Site", "str | None"]
Run = Callable[[Any, Any, Any], Any]


class CostRecorder:
    """Counts the operator calls of one deep step by shapes and place.

    Attributes:
        steps: how many steps were recorded: none yet, or one.
        memory: what is alive on the device in that step, and after each step.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._stack = ExitStack()
        self._on = False
        self._sites = CallSites()
        # phase None: after the forward, not yet known; the tally is [calls, ns]
        self._tallies: dict[_Key, list[int]] = {}
        self._lock = threading.Lock()
        self._notes: dict[Gap, None] = {}
        self._operands = OperandRecorder()
        self.memory = MemoryRecorder()
        self.steps = 0

    def begin(self, device: Device, pretence: Pretence | None) -> None:
        """A deep step begins; nothing happens where one was recorded already."""
        if self.steps or self._on:
            return
        if device == "cuda" and _compiles():
            why = "the program is compiled, and recording would run it uncompiled"
            self._notes[Gap("FLOPs and bytes of operators", why)] = None
            return
        self._on, self._sites = True, CallSites()
        self._stack.enter_context(self._sites.following())
        self._stack.enter_context(self.memory.recording(self._sites, on_device(device)))
        self._stack.enter_context(self._operands.watching(reads=device != "cuda"))
        if pretence is not None:
            pretence.record = self.record
            self._stack.callback(_stop, pretence)
        else:
            self._stack.enter_context(_CostMode(self.record))

    def settle(self, phase: Phase) -> None:
        """Decide the phase of what was seen outside the module's forward since the last call."""
        if not self._on:
            return
        with self._lock:
            before, self._tallies = self._tallies, {}
            for (call, known, site, region), tally in before.items():
                self._add((call, known or phase, site, region), *tally)

    def end(self, counts: bool) -> None:
        """The step ended; what was recorded is kept only where it `counts` as a deep step."""
        if not self._on:
            return
        self.settle("other")
        self._on = False
        self._stack.close()
        if counts and self._tallies:
            self.steps = 1
        else:
            self._tallies.clear()
            self._operands.forget()
            self.memory.drop()

    def drop(self) -> None:
        """Forget everything: it was no step."""
        self.end(False)
        self._tallies.clear()
        self._operands.forget()
        self.memory.drop()
        self.memory.forget_steps()
        self.steps = 0

    def gaps(self) -> tuple[Gap, ...]:
        """Why there are no costs, where there are none for a reason."""
        return (*self._notes, *self.memory.gaps())

    def record(self, func: Any, args: Any, kwargs: Any, run: Run) -> Any:
        """Make one call, and remember its shapes and what it took."""
        began = perf_counter_ns()
        out = run(func, args, kwargs)
        took = perf_counter_ns() - began
        evidence = self._evidence
        if not evidence.paused:
            site = self._sites.now()
            phase: Phase | None = "forward" if evidence.in_forward else None
            if site.backward:
                phase = "backward"
            key = (call_of(func, args, kwargs, out), phase, site, evidence.region)
            with self._lock:
                self._add(key, 1, took)
                self._operands.look(key[0].name, args, kwargs, out, (site, phase, evidence.region))
                self.memory.ran(key[0].name, site, phase, (*args, *kwargs.values()), out)
        return out

    def rows(self) -> tuple[OpCost, ...]:
        """The costs of the recorded step; empty where none was."""
        return _rows(self._tallies) if self.steps else ()

    def operands(self) -> tuple[Operands, ...] | None:
        """What operands of the recorded step were like; None where no step was recorded."""
        return self._operands.rows() if self.steps else None

    def peaks(self, device: Device) -> Peaks | None:
        """What this machine can do, where it was measured before and something was recorded.

        Asked while a pretence runs, nothing is known.
        """
        return cached_here("cuda" if device == "cuda" else "cpu") if self.steps else None

    def _add(self, key: _Key, calls: int, took: int) -> None:
        tally = self._tallies.setdefault(key, [0, 0])
        tally[0] += calls
        tally[1] += took


class _CostMode(TorchDispatchMode):  # type: ignore[misc]
    """Sees every call on a real device, composites of inference mode taken apart."""

    def __init__(self, record: Callable[..., Any]) -> None:
        super().__init__()
        self._record = record

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        plan, kwargs = _plan(func), kwargs or {}
        if plan.composite:
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        if not plan.works or not any(map(_on_cuda, (*args, *kwargs.values()))):
            return func(*args, **kwargs)
        return self._record(func, args, kwargs, _run)


def call_of(func: Any, args: Any, kwargs: Any, out: Any) -> Call:
    """One call without its data, arguments in the order of the schema."""
    inputs = [_value(value) for value in args]
    if kwargs:
        positions = _positions(func)
        for name, value in kwargs.items():
            position = positions[name]
            inputs += [None] * (position + 1 - len(inputs))
            inputs[position] = _value(value)
    made = out if isinstance(out, (list, tuple)) else (out,)
    outputs = tuple(_operand(item) for item in made if isinstance(item, Tensor))
    return Call(func.name().split(".", 1)[0], tuple(inputs), outputs)


def _rows(tallies: dict[_Key, list[int]]) -> tuple[OpCost, ...]:
    merged: dict[tuple[Any, ...], list[Any]] = {}
    for (call, phase, site, region), (calls, took) in tallies.items():
        found = _index.cost(call)
        key = (call.name, signature(call), phase, site, region, _kind(found))
        sums = merged.setdefault(key, [0, 0, 0, 0, 0])
        amounts = (0, 0, 0) if isinstance(found, _index.NotKnown) else _amounts(found)
        for position, value in enumerate((1, *amounts)):
            sums[position] += calls * value
        sums[4] += took
    return tuple(_row(key, sums) for key, sums in merged.items())


def _row(key: tuple[Any, ...], sums: list[int]) -> OpCost:
    op, shapes, phase, site, region, (unit, dtype, unknown) = key
    calls, flops, read, written, took = sums
    known = not unknown
    return OpCost(
        op,
        shapes,
        calls,
        flops if known else None,
        read if known else None,
        written if known else None,
        unit,
        dtype,
        unknown,
        host_ns=took,
        phase=phase,
        module=site.module,
        recomputed=site.recomputed,
        region=region,
        place=_frame(site),
    )


def _kind(found: Any) -> tuple[str, str, str]:
    if isinstance(found, _index.NotKnown):
        return "vector", "", found.reason
    return found.unit, found.dtype, ""


def _amounts(found: Any) -> tuple[int, int, int]:
    return found.flops, found.read, found.written


def _frame(site: Site) -> Frame | None:
    return resolve((site.place,))[0] if site.place is not None else None


def _value(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _operand(value)
    if isinstance(value, (list, tuple)):
        return tuple(_value(item) for item in value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, torch.dtype):
        return _dtype(value)
    return None


def _operand(tensor: Tensor) -> Operand:
    strides = tuple(tensor.stride()) if tensor.layout == torch.strided else None
    return Operand(tuple(tensor.shape), _dtype(tensor.dtype), strides)


@cache
def _dtype(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


@cache
def _positions(func: Any) -> dict[str, int]:
    return {argument.name: i for i, argument in enumerate(func._schema.arguments)}


@cache
def _plan(func: Any) -> Plan:
    return Plan(func)


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    return func(*args, **kwargs)


def _on_cuda(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.is_cuda
    return isinstance(value, (list, tuple)) and any(map(_on_cuda, value))


def _stop(pretence: Pretence) -> None:
    pretence.record = None


def _compiles() -> bool:
    """Something was compiled by Dynamo: a dispatch mode would make it run eagerly."""
    dynamo = sys.modules.get("torch._dynamo.utils")
    return dynamo is not None and bool(dynamo.counters["frames"].get("ok"))
