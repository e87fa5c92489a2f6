"""What a rewrite declares: found code, forms that replace it, cases, goals, and traps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch

from perfkit.base import plugins
from perfkit.base.errors import PerfkitError

ROOM = "perfkit.rewrites"
Inputs = tuple[Any, ...]


@dataclass(frozen=True)
class Quality:
    """What an approximate form was measured by: `value` must not exceed `limit`."""

    metric: str
    value: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.value <= self.limit  # NaN does not hold


@dataclass(frozen=True)
class Form:
    """One way to compute what the found code computes.

    Attributes:
        run: called with a case's inputs; returns a tensor or a tree of tensors and plain values.
        wins: when to take it and when not, in a sentence.
        exact: equal to the found code but for rounding, in value and in gradient.
        approximates: what changes, for a form that is not exact; shown wherever the form is.
        quality: judges (inputs, found output, own output) of a form that is not exact.
        unavailable: why it cannot run on these inputs or this machine; None where it can.
        tolerance: largest error by dtype instead of the general ones, see `_parity.TOLERANCE`.
        compiles: the first call takes seconds.
    """

    name: str
    run: Callable[..., Any]
    wins: str
    exact: bool = True
    approximates: str = ""
    quality: Callable[[Inputs, Any, Any], Quality] | None = None
    unavailable: Callable[..., str | None] = lambda *inputs: None
    tolerance: dict[torch.dtype, float] = field(default_factory=dict)
    compiles: bool = False


@dataclass(frozen=True)
class Case:
    """Inputs to prove and to measure a rewrite on.

    Attributes:
        make: fresh inputs from a seed, on the CPU, floating point as float32. Tensors that require
            a gradient are the ones whose gradients are compared.
        shape: what the sizes are, for the reader.
        stays_on_host: indices of arguments that are not moved to the device with the others,
            because moving them is part of what is measured.
        measured: False for corner cases that are proven and not timed.
        dtypes: in which the forms are proven against the found code in float64.
    """

    name: str
    make: Callable[[int], Inputs]
    shape: str = ""
    stays_on_host: tuple[int, ...] = ()
    measured: bool = True
    dtypes: tuple[torch.dtype, ...] = (torch.float64, torch.float32)


@dataclass(frozen=True)
class Goal:
    """What a form must reach on a case, held by `benchmarks/rewrites.py`.

    Attributes:
        form: empty for the one that `choose` picks.
        against: name of the found form it is compared with; empty for the reference.
        ratio: CPU time of the found code over that of the form, at least.
        backward: with the backward pass in time and counts.
        device_ops, syncs, copies: at most, forward (and backward where asked for).
    """

    case: str
    form: str = ""
    against: str = ""
    ratio: float | None = None
    backward: bool = False
    device_ops: int | None = None
    syncs: int | None = None
    copies: int | None = None


@dataclass(frozen=True)
class Rewrite:
    """A rewrite as a whole.

    Attributes:
        found: the code as it is met in programs; the first is the reference.
        forms: what replaces it, the recommended one first.
        choose: name of the form for these inputs, by device and sizes; the first where nothing
            depends on them.
        traps: look like rewrites and change the result; parity must refuse each on some case.
        adopt: makes inputs of what a file holds for `perfkit verify --inputs`; its parameters are
            what is to be saved. None where those of the reference can be saved as they are.
        saved_as: these in words, where the parameters do not say it.
        not_from_a_file: why no file can hold inputs; and after "; " what to do instead.
    """

    title: str
    found: tuple[Form, ...]
    forms: tuple[Form, ...]
    cases: tuple[Case, ...]
    choose: Callable[..., str] | None = None
    goals: tuple[Goal, ...] = ()
    traps: tuple[Form, ...] = ()
    adopt: Callable[..., Inputs] | None = None
    saved_as: str = ""
    not_from_a_file: str = ""

    @property
    def reference(self) -> Form:
        return self.found[0]

    def chosen(self, inputs: Inputs) -> Form:
        """The form to use for these inputs."""
        return self.form(self.choose(*inputs)) if self.choose else self.forms[0]

    def form(self, name: str) -> Form:
        """A found or replacing form by name.

        Raises:
            PerfkitError: there is none; the message lists those there are.
        """
        return _named(name, (*self.forms, *self.found), "form")

    def case(self, name: str) -> Case:
        """A case by name.

        Raises:
            PerfkitError: there is none; the message lists those there are.
        """
        return _named(name, self.cases, "case")


def _named(name: str, among: tuple[Any, ...], what: str) -> Any:
    for one in among:
        if one.name == name:
            return one
    raise PerfkitError(
        f"there is no {what} {name!r}", f"there are: {', '.join(o.name for o in among)}"
    )


def page(name: str) -> ModuleType:
    """The module of one rewrite; its docstring is its page.

    Raises:
        PerfkitError: there is none; the message lists those there are.
    """
    return plugins.module(ROOM, name)


def rewrite(name: str) -> Rewrite:
    """One rewrite by its id, which is the name of its file.

    Raises:
        PerfkitError: there is none; the message lists those there are.
    """
    declared: Rewrite = page(name).REWRITE
    return declared


def rewrites() -> dict[str, Rewrite]:
    """Every rewrite by id."""
    return {name: rewrite(name) for name in plugins.names(ROOM)}
