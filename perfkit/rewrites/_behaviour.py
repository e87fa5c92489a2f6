"""Whether one function behaves as another does on a call: values, gradients, randomness, mutation, layout.

Both get the same arguments, fresh for each, and the same state of every random generator. Results are
compared leaf by leaf: exact, within the tolerance of the dtype (relative to the largest value of the
leaf), or different with the first element that is.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from perfkit.rewrites import _tree
from perfkit.rewrites._own import MISTAKES
from perfkit.rewrites._parity import TOLERANCE, cotangent

Level = Literal["exact", "within tolerance", "different"]
Aspect = Literal[
    "value", "gradient", "mutation", "dtype", "device", "stride", "random", "exception"
]
_WORST: dict[Level, int] = {"exact": 0, "within tolerance": 1, "different": 2}
_ADVICE: tuple[Aspect, ...] = ("stride", "random")
"""Aspects in which a difference rarely matters to the caller: told, and fatal only when strict."""

Call = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Difference:
    """One place where the two are not the same.

    Attributes:
        where: the leaf: "result[0]", "argument 1", "gradient of argument 0".
        index: of the first element that differs; None where all of the leaf does.
        before, after: the two values, in words.
    """

    aspect: Aspect
    level: Level
    where: str
    index: tuple[int, ...] | None
    before: str
    after: str

    def text(self) -> str:
        at = "" if self.index is None else f"{list(self.index)}"
        return f"{self.aspect}: {self.where}{at} is {self.before} before and {self.after} after"


@dataclass(frozen=True)
class Behaviour:
    """The outcome of one call.

    Attributes:
        compared, gradients: leaves of the results and gradients that were compared.
        worst_error: the largest relative error of a leaf that differs at all.
        raised: the error that both ended with, which proves nothing; empty where one of them gave a result.
    """

    differences: tuple[Difference, ...]
    compared: int
    gradients: int
    worst_error: float
    raised: str = ""

    def level(self, strict: bool = False) -> Level:
        """The verdict; strides and the use of random numbers count only when strict."""
        counted = [d for d in self.differences if strict or d.aspect not in _ADVICE]
        return max((d.level for d in counted), key=lambda v: _WORST[v], default="exact")


@dataclass
class _Ran:
    output: Any
    raised: BaseException | None
    gradients: tuple[Tensor | None, ...]
    learning: list[str]
    arguments: list[tuple[str, Any]]
    random_after: dict[str, Any]


def compare(
    before: Callable[..., Any],
    after: Callable[..., Any],
    make: Callable[[], Call],
    tolerance: float | None = None,
    seed: int = 0,
) -> Behaviour:
    """Run both once and compare everything that a caller could notice.

    Args:
        make: gives the arguments, equal and fresh each time.
        tolerance: relative to the leaf's largest value; None for the one of its dtype.
    """
    found, given = (_run(function, make(), seed) for function in (before, after))
    judge, raised = _Judge(tolerance), ""
    if found.raised is not None or given.raised is not None:
        kinds = [type(r.raised).__name__ if r.raised else "a result" for r in (found, given)]
        if kinds[0] != kinds[1]:
            judge.add("exception", "different", "the call", *(_told(r) for r in (found, given)))
        elif given.raised is not None:
            raised = _told(given)
    else:
        judge.tree("value", "result", found.output, given.output)
        judge.gradients(found.learning, found.gradients, given.gradients)
    for (where, mine), (_, theirs) in zip(found.arguments, given.arguments, strict=True):
        judge.tree("mutation", where, mine, theirs)
    judge.random(found.random_after, given.random_after)
    return Behaviour(tuple(judge.found), judge.compared, judge.slopes, judge.worst, raised)


def differentiable(inputs: Any) -> list[Tensor]:
    """The leaves behind arguments that require a gradient: an argument itself may be written into."""
    found = []
    for tensor in _tree.tensors(inputs):
        if tensor.requires_grad:
            node = None if tensor.grad_fn is None else tensor.grad_fn.next_functions[0][0]
            found.append(getattr(node, "variable", tensor))
    return found


def _run(function: Callable[..., Any], call: Call, seed: int) -> _Ran:
    args, kwargs = call
    inputs = (args, kwargs)
    wanted = differentiable(inputs)
    named = [(f"argument {i}", value) for i, value in enumerate(args)]
    named += [(f"argument {name}", value) for name, value in kwargs.items()]
    learning = [
        path
        for where, tree in named
        for path, leaf in _paths(where, tree)
        if isinstance(leaf, Tensor) and leaf.requires_grad
    ]
    output: Any = None
    raised: BaseException | None = None
    gradients: tuple[Tensor | None, ...] = (None,) * len(wanted)
    with _seeded(seed):
        try:
            output = function(*args, **kwargs)
            ours = [t for t in _tree.tensors(output) if t.requires_grad]
            if wanted and ours:
                gradients = torch.autograd.grad(
                    ours, wanted, [cotangent(t) for t in ours], allow_unused=True
                )
        except MISTAKES as error:
            raised = error
        after = _random_state()
    return _Ran(output, raised, gradients, learning, named, after)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """All generators at the same point; back to where they were afterwards."""
    own, arrays = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(own)
            np.random.set_state(arrays)


def _random_state() -> dict[str, Any]:
    arrays = np.random.get_state()
    state: dict[str, Any] = {
        "Python's random": random.getstate(),
        "numpy's random": (arrays[1].tolist(), *arrays[2:]),  # type: ignore[index]
        "torch's generator": torch.get_rng_state().tolist(),
    }
    for index in range(torch.cuda.device_count()):
        state[f"the generator of cuda:{index}"] = torch.cuda.get_rng_state(index).tolist()
    return state


def _told(ran: _Ran) -> str:
    if ran.raised is None:
        return "a result"
    first = (str(ran.raised).strip().splitlines() or [""])[0]
    return f"{type(ran.raised).__name__}: {first}"


class _Judge:
    """Collects differences."""

    def __init__(self, tolerance: float | None) -> None:
        self._tolerance = tolerance
        self.found: list[Difference] = []
        self.compared = self.slopes = 0
        self.worst = 0.0

    def add(
        self, aspect: Aspect, level: Level, where: str, before: Any, after: Any, index: Any = None
    ) -> None:
        self.found.append(Difference(aspect, level, where, index, str(before), str(after)))

    def tree(self, aspect: Aspect, where: str, mine: Any, theirs: Any) -> None:
        ours, others = list(_paths(where, mine)), list(_paths(where, theirs))
        if [path for path, _ in ours] != [path for path, _ in others]:
            self.add(aspect, "different", where, _shape_of(ours), _shape_of(others))
            return
        for (path, one), (_, other) in zip(ours, others, strict=True):
            self._leaf(aspect, path, one, other)

    def gradients(
        self,
        names: list[str],
        mine: tuple[Tensor | None, ...],
        theirs: tuple[Tensor | None, ...],
    ) -> None:
        for name, one, other in zip(names, mine, theirs, strict=True):
            where = f"that of {name}"
            if (one is None) != (other is None):  # a gradient of zeros is as good as none
                only = one if one is not None else other
                assert only is not None
                if only.any():
                    told = ["none" if g is None else "there" for g in (one, other)]
                    self.add("gradient", "different", where, *told)
            elif one is not None:
                self.slopes += 1
                self._leaf("gradient", where, one, other)

    def random(self, mine: dict[str, Any], theirs: dict[str, Any]) -> None:
        for name, state in mine.items():
            if theirs[name] != state:
                self.add("random", "different", name, "in one state", "in another")

    def _leaf(self, aspect: Aspect, where: str, one: Any, other: Any) -> None:
        if aspect == "value":
            self.compared += 1
        if not (isinstance(one, Tensor) and isinstance(other, Tensor)):
            self._plain(aspect, where, one, other)
            return
        if one.shape != other.shape:
            shapes = (f"of shape {list(t.shape)}" for t in (one, other))
            self.add(aspect, "different", where, *shapes)
            return
        if aspect == "value" or aspect == "mutation":
            self._layout(where, one, other)
        self._elements(aspect, where, one, other)

    def _plain(self, aspect: Aspect, where: str, one: Any, other: Any) -> None:
        if type(one) is float and type(other) is float:
            limit = 1e-9 if self._tolerance is None else self._tolerance
            if one != other and not (math.isnan(one) and math.isnan(other)):
                near = math.isclose(one, other, rel_tol=limit)
                self.add(aspect, "within tolerance" if near else "different", where, one, other)
            return
        if type(one) is not type(other):
            self.add(aspect, "different", where, _kind(one), _kind(other))
        elif isinstance(one, np.ndarray):
            if one.shape != other.shape or not np.array_equal(
                one, other, equal_nan=one.dtype.kind in "fc"
            ):
                self.add(aspect, "different", where, "one array", "another")
        elif "__eq__" in _own_names(one) and one != other:
            self.add(aspect, "different", where, repr(one)[:60], repr(other)[:60])

    def _layout(self, where: str, one: Tensor, other: Tensor) -> None:
        if one.dtype != other.dtype:
            self.add("dtype", "different", where, one.dtype, other.dtype)
        if one.device != other.device:
            self.add("device", "different", where, one.device, other.device)
        if one.stride() != other.stride() and one.numel() > 1:
            self.add("stride", "different", where, one.stride(), other.stride())
        if one.requires_grad != other.requires_grad:
            told = (
                "attached to the graph" if t.requires_grad else "cut off from it"
                for t in (one, other)
            )
            self.add("gradient", "different", where, *told)

    def _elements(self, aspect: Aspect, where: str, one: Tensor, other: Tensor) -> None:
        mine, theirs = (_wide(t.detach()) for t in (one, other))
        same = (mine == theirs) | ((mine != mine) & (theirs != theirs))
        if bool(same.all()):
            return
        inexact = one.is_floating_point() or one.is_complex()
        size = mine.abs()[mine.isfinite()] if inexact else mine
        scale = max(float(size.max()) if size.numel() else 0.0, 1e-30) if inexact else 1.0
        error = torch.where(same, 0.0, (mine - theirs).abs() / scale).nan_to_num(nan=math.inf)
        worst = float(error.max())
        limit = self._limit(one) if inexact else 0.0
        level: Level = "within tolerance" if worst <= limit else "different"
        first = (error > (limit if level == "different" else 0.0)).nonzero()[0].tolist()
        self.worst = max(self.worst, worst)
        at = tuple(first)
        self.add(aspect, level, where, one.detach()[at].item(), other.detach()[at].item(), at)

    def _limit(self, tensor: Tensor) -> float:
        if self._tolerance is not None:
            return self._tolerance
        kind = tensor.real.dtype if tensor.is_complex() else tensor.dtype
        return TOLERANCE.get(kind, 3e-2)


def _wide(tensor: Tensor) -> Tensor:
    if tensor.is_complex():
        return tensor.to(torch.complex128).cpu()
    return tensor.to(torch.float64 if tensor.is_floating_point() else torch.int64).cpu()


def _paths(where: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """Leaves with their paths, in a fixed order; objects of other classes are leaves."""
    if isinstance(tree, MutableMapping):
        for key in tree:
            yield from _paths(f"{where}[{key!r}]", tree[key])
    elif isinstance(tree, (list, tuple)):
        for index, value in enumerate(tree):
            yield from _paths(f"{where}[{index}]", value)
    elif is_dataclass(tree) and not isinstance(tree, type):
        for field in fields(tree):
            yield from _paths(f"{where}.{field.name}", getattr(tree, field.name))
    else:
        yield where, tree


def _shape_of(leaves: list[tuple[str, Any]]) -> str:
    return f"{len(leaves)} values ({', '.join(path for path, _ in leaves[:4])})"


def _own_names(value: Any) -> set[str]:
    """What the value's classes define; without an `__eq__` of their own objects equal only themselves."""
    return {name for kind in type(value).__mro__[:-1] for name in vars(kind)}


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"
