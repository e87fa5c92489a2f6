"""Capture a step once per shape and replay it: one launch instead of hundreds.

What it replaces
    A step of many short kernels, each launched from Python: the device finishes them faster than the
    host can hand them out.

Why it is faster
    A CUDA graph holds the kernels of a step with their arguments. Replaying it is one launch; Python,
    the dispatcher and autograd do not run. Inputs are copied into the memory that was captured.

When it wins, and when not
    Where the host is the limit and shapes come back: the gain is the launch time, 5 to 10 us for each
    kernel (an estimate). Not where the device is busy all the time. Every new shape costs a
    capture and memory of its own, so bring ragged batches to a few sizes first (`packing` with padded
    totals); beyond `most` shapes the step runs eagerly. Without CUDA it always does; `why_eager` says
    why.

Exact or approximate
    Exact: the same kernels on the same numbers. Dropout draws fresh numbers in every replay, from the
    same generator, but not the ones that the eager step would have drawn.

Hazards
    Whatever waits for the device cannot be captured: the step is watched while it warms up, and
    refused with the lines that wait. Python runs once: a learning rate, a schedule or a branch decided
    by Python is frozen into the graph, so pass such numbers as tensors. Tensors that the step reads
    besides its arguments must stay where they are: load weights with `copy_`, do not replace them;
    optimisers need `capturable=True`; set gradients to None inside the step. The first `warmup` calls
    for a shape run eagerly, each on its own batch, so that none is trained on twice. Results are
    copies; without them the next replay would overwrite what the caller still holds.

Your own inputs
    `verify` knows its own small training step only and takes the sizes from you: `weight` [D, D] and
    `batches`, a list of [n, D]. For a step of your own, call `cuda_graph_step(step)` and compare its
    results with those of `step` over some ten batches.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from perfkit import pretend
from perfkit.base.errors import PerfkitError
from perfkit.detectors.evidence import Hit, listening
from perfkit.detectors.places import resolve
from perfkit.detectors.watch_cuda import watch_cuda
from perfkit.rewrites import _tree
from perfkit.rewrites._rewrite import Case, Form, Goal, Inputs, Rewrite

Step = Callable[..., Any]


@dataclass
class _Captured:
    """A graph with the memory that it reads and writes."""

    graph: Any
    inputs: list[Tensor]
    output: Any

    def replay(self, args: Any) -> Any:
        for static, given in zip(self.inputs, _tree.tensors(args), strict=True):
            static.copy_(given, non_blocking=True)
        self.graph.replay()
        return _tree.mapped(lambda one: one.detach().clone(), self.output)


@dataclass
class _Shape:
    """What is known of one combination of shapes and plain values."""

    calls: int = 0
    captured: _Captured | None = None


class CudaCapture:
    """Runs and captures on CUDA. Tests put another in its place."""

    def __init__(self) -> None:
        self._stream: Any = None

    def why_eager(self, args: Any) -> str:
        """Why these arguments cannot be captured here; empty if they can."""
        tensors = _tree.tensors(args)
        if not tensors or any(one.device.type != "cuda" for one in tensors):
            return "no argument is a tensor on CUDA, or not all of them are: the step runs eagerly"
        if pretend.is_active():
            return "a pretend device replays no graphs: the step runs eagerly"
        return ""

    def warm(self, step: Step, args: Any, device: torch.device) -> Any:
        """An eager call on a side stream, as capture wants it."""
        current = torch.cuda.current_stream(device)
        self._stream = self._stream or torch.cuda.Stream(device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):  # which also makes its device the current one
            output = step(*args)
        current.wait_stream(self._stream)
        for tensor in _tree.tensors(output):
            if tensor.device.type == "cuda":
                tensor.record_stream(current)
        return output

    def capture(self, step: Step, args: Any, device: torch.device) -> _Captured:
        """Record the step, without running it. Memory is not shared between graphs."""
        static = _tree.mapped(lambda one: one.detach().clone(), args)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device), torch.cuda.graph(graph):
            output = step(*static)
        return _Captured(graph, _tree.tensors(static), output)


class GraphedStep:
    """A step that is replayed where it can be. Call it like the step.

    Attributes:
        why_eager: why the last call ran eagerly; empty if it was a replay.
        graphs: how many shapes are captured.
    """

    def __init__(
        self, step: Step, *, warmup: int = 3, most: int = 8, by: CudaCapture | None = None
    ) -> None:
        if warmup < 1 or most < 1:
            raise PerfkitError(
                f"warmup {warmup} and most {most} must be at least 1", "raise them to 1 or more"
            )
        self.step = step
        self.warmup = warmup
        self.most = most
        self.why_eager = ""
        self._by = by or CudaCapture()
        self._shapes: dict[Hashable, _Shape] = {}

    @property
    def graphs(self) -> int:
        return sum(one.captured is not None for one in self._shapes.values())

    def __call__(self, *args: Any) -> Any:
        """Run the step on a batch.

        Raises:
            PerfkitError: the step waits for the device, at the lines that the message names.
        """
        self.why_eager = self._by.why_eager(args)
        if self.why_eager:
            return self.step(*args)
        shape = self._shapes.setdefault(_signature(args), _Shape())
        if shape.captured is None and shape.calls >= self.warmup and self.graphs >= self.most:
            self.why_eager = f"{self.most} shapes are captured already, and this is another"
            return self.step(*args)
        shape.calls += 1
        if shape.calls <= self.warmup:
            self.why_eager = f"warming up: call {shape.calls} of {self.warmup} for this shape"
            return self._warm(shape, args)
        device = _tree.tensors(args)[0].device
        if shape.captured is None:
            shape.captured = self._by.capture(self.step, args, device)
        return shape.captured.replay(args)

    def _warm(self, shape: _Shape, args: Any) -> Any:
        """The last warm call is watched: what ran only the first time is not held against the step."""
        device = _tree.tensors(args)[0].device
        if shape.calls < self.warmup:
            return self._by.warm(self.step, args, device)
        output, waits = watched(lambda: self._by.warm(self.step, args, device))
        if waits:
            shape.calls -= 1
            raise PerfkitError(
                "the step waits for the device and cannot be captured:\n"
                + "\n".join(f"  {line}" for line in dict.fromkeys(map(_line, waits))),
                "remove the waits, or leave these lines out of the captured step",
            )
        return output


def cuda_graph_step(step: Step, *, warmup: int = 3, most: int = 8) -> GraphedStep:
    """Make a step replay CUDA graphs.

    Args:
        step: from trees of tensors and plain values to a tree of tensors. It may hold forward,
            backward and optimiser. Plain values are frozen: another value is another graph.
        warmup: eager calls for each shape before its capture.
        most: shapes that are captured; others run eagerly.

    Raises:
        PerfkitError: warmup or most below 1.
    """
    return GraphedStep(step, warmup=warmup, most=most)


def watched(call: Callable[[], Any]) -> tuple[Any, list[Hit]]:
    """What a call gives, and where it certainly waited for the device (blocking copies included)."""
    hits: list[Hit] = []
    with ExitStack() as stack:
        if torch.cuda.is_available() and not pretend.is_active():
            stack.enter_context(watch_cuda())
        stack.enter_context(listening(hits.append))
        output = call()
    return output, [hit for hit in hits if hit.certain]


def _line(hit: Hit) -> str:
    frames = resolve(hit.place)
    place = f"{frames[0]} in {frames[0].function}" if frames else "an unknown line"
    return f"{hit.op} at {place}: {hit.fix}"


def _signature(args: Any) -> Hashable:
    """Equal for arguments that one graph can serve."""
    return tuple(
        (tuple(one.shape), one.stride(), one.dtype, one.device) if isinstance(one, Tensor) else one
        for one in _tree.leaves(args)
    )


def found(weight: Tensor, batches: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """As met in programs: every kernel of every step launched from Python."""
    weight = weight.clone()
    losses = [_training_step(weight, batch) for batch in batches]
    return torch.stack(losses), weight


def graphed(weight: Tensor, batches: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """`cuda_graph_step` as a form; the weight is changed in place, where the graph knows it."""
    weight = weight.clone()
    step = cuda_graph_step(lambda batch: _training_step(weight, batch), warmup=2)
    losses = [step(batch) for batch in batches]
    return torch.stack(losses), weight


def _weight_replaced(weight: Tensor, batches: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    losses = [_training_step(weight.clone(), batch) for batch in batches]
    return torch.stack(losses), weight


def _warmed_on_the_first_batch(weight: Tensor, batches: tuple[Tensor, ...]) -> Any:
    weight = weight.clone()
    for _ in range(3):
        _training_step(weight, batches[0])
    return torch.stack([_training_step(weight, batch) for batch in batches]), weight


def _training_step(weight: Tensor, batch: Tensor) -> Tensor:
    """One step of gradient descent on a small network, in place; gives the loss."""
    own = weight.detach().requires_grad_()
    loss = torch.tanh(torch.tanh(batch @ own) @ own).square().mean()
    (gradient,) = torch.autograd.grad(loss, own)
    weight.sub_(gradient, alpha=0.1)
    return loss.detach()


def _case(name: str, rows: tuple[int, ...], width: int, *, measured: bool = False) -> Case:
    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        weight = torch.randn(width, width, generator=generator) / width**0.5
        return weight, tuple(torch.randn(count, width, generator=generator) for count in rows)

    return Case(name, make, f"{len(rows)} steps, D = {width}", measured=measured)


REWRITE = Rewrite(
    title="Capture the step in a CUDA graph and replay it",
    found=(Form("found", found, "where the device is the limit, or without CUDA"),),
    forms=(Form("graphed", graphed, "short kernels, shapes that come back, on CUDA"),),
    traps=(
        Form("weight replaced", _weight_replaced, "never: the graph keeps reading the old one"),
        Form(
            "warmed on the first batch",
            _warmed_on_the_first_batch,
            "never for training: that batch is trained on several times",
        ),
    ),
    cases=(
        _case("six steps", (4,) * 6, 3),
        _case("two shapes", (4, 2, 4, 2, 4, 2, 4, 2), 3),
        _case("30 steps", (64,) * 30, 32, measured=True),
    ),
    goals=(Goal("30 steps", ratio=0.7, syncs=0, copies=0),),
)
