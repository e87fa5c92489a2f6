"""One row per form and case: proof, time and counts beside those of the found code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch

from perfkit.rewrites import _timing, _tree
from perfkit.rewrites._counting import Counts, count
from perfkit.rewrites._own import refusals
from perfkit.rewrites._parity import (
    TOLERANCE,
    Parity,
    Result,
    evaluate,
    parity,
    reference_result,
)
from perfkit.rewrites._rewrite import Form, Goal, Inputs, Rewrite

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Row:
    """A form on a case. Times are seconds per call; None where it could not be had.

    Attributes:
        chosen: the form that `Rewrite.choose` picks for these inputs.
        unavailable: why the form did not run; all else is None then.
        raised: what it raised on inputs that the found code takes; all else is None then, too.
        seconds, found_seconds: CPU time on a CPU, wall time until completion on CUDA.
        dispatch_seconds: on CUDA, wall time until the call returned.
        quality: of an approximate form, as text; parity is not asked of it.
    """

    rewrite: str
    case: str
    form: str
    exact: bool
    chosen: bool
    backward: bool
    unavailable: str | None = None
    raised: str | None = None
    parity: Parity | None = None
    quality: str | None = None
    quality_holds: bool | None = None
    seconds: float | None = None
    found_seconds: float | None = None
    dispatch_seconds: float | None = None
    counts: Counts | None = None
    found_counts: Counts | None = None

    @property
    def ratio(self) -> float | None:
        """How many times faster than the found code."""
        if not self.seconds or self.found_seconds is None:
            return None
        return self.found_seconds / self.seconds

    @property
    def holds(self) -> bool | None:
        """Whether the proof or the quality gate held; None where neither ran."""
        if self.raised:
            return False
        return self.parity.holds if self.parity else self.quality_holds

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "holds": self.holds}


@dataclass(frozen=True)
class Asked:
    """What to measure: which found form to compare with, and how thoroughly.

    Attributes:
        stays_on_host: as in `Case`.
        try_first: each form is run once before, since it may raise on these inputs.
        prove: False leaves the proof out, where another row has it.
    """

    case: str
    against: Form
    stays_on_host: tuple[int, ...] = ()
    backward: bool = False
    rounds: int = 7
    dtype: torch.dtype = torch.float32
    device: torch.device = CPU
    try_first: bool = False
    prove: bool = True


def measure(
    name: str, rewrite: Rewrite, forms: Sequence[Form], inputs: Inputs, asked: Asked
) -> list[Row]:
    """Prove, time and count forms on the same inputs, turn by turn with the found code."""
    inputs = _tree.fresh(inputs, asked.dtype)
    there = _tree.placed(inputs, asked.device, asked.stays_on_host)
    chosen = rewrite.chosen(there)
    why_not = {form.name: form.unavailable(*there) for form in forms}
    able = [form for form in forms if why_not[form.name] is None]
    raised = refusals(able, there) if asked.try_first else {}
    able = [form for form in able if form.name not in raised]
    times = _times([asked.against, *(f for f in able if f is not asked.against)], inputs, asked)
    found_counts = _count(asked.against, inputs, asked)
    found = _Found(rewrite, inputs, asked)
    rows = []
    for form in forms:
        fixed: dict[str, Any] = {
            "rewrite": name,
            "case": asked.case,
            "form": form.name,
            "exact": form.exact,
            "chosen": form is chosen,
            "backward": asked.backward,
        }
        if form not in able:
            rows.append(Row(**fixed, unavailable=why_not[form.name], raised=raised.get(form.name)))
            continue
        completed, dispatched = times[form.name]
        rows.append(
            Row(
                **fixed,
                **_proof(found, form),
                seconds=completed,
                found_seconds=times[asked.against.name][0],
                dispatch_seconds=dispatched,
                counts=found_counts if form is asked.against else _count(form, inputs, asked),
                found_counts=found_counts,
            )
        )
    return rows


def _times(
    forms: Sequence[Form], inputs: Inputs, asked: Asked
) -> dict[str, tuple[float, float | None]]:
    if asked.device.type == "cuda":
        return dict(
            _timing.completed_times(
                forms, inputs, asked.device, asked.backward, asked.rounds, asked.stays_on_host
            )
        )
    times = _timing.cpu_times(forms, inputs, asked.backward, asked.rounds)
    return {name: (seconds, None) for name, seconds in times.items()}


def _count(form: Form, inputs: Inputs, asked: Asked) -> Counts | None:
    if torch.cuda.is_available():
        return None  # the pretend device stands in for a missing one only
    try:
        return count(form, inputs, asked.stays_on_host, asked.backward)
    except NotImplementedError:  # higher-order operators have no pretend device
        return None


@dataclass(frozen=True)
class _Found:
    """The found code's results on the inputs, computed once for all forms that are held against them."""

    rewrite: Rewrite
    inputs: Inputs
    asked: Asked

    def placed(self) -> Inputs:
        return _tree.placed(self.inputs, self.asked.device, self.asked.stays_on_host)

    @cached_property
    def exact(self) -> Result:
        asked = self.asked
        return reference_result(self.rewrite, self.inputs, asked.device, asked.stays_on_host)

    @cached_property
    def output(self) -> Any:
        return evaluate(self.rewrite.reference, self.placed(), backward=False).output


def _proof(found: _Found, form: Form) -> dict[str, Any]:
    rewrite, inputs, asked = found.rewrite, found.inputs, found.asked
    if not asked.prove:
        return {}
    if form.exact:
        where = (asked.dtype, asked.device, asked.stays_on_host)
        return {"parity": parity(rewrite, form, inputs, asked.case, *where, found.exact)}
    if form.quality is None:
        return {}
    given = evaluate(form, found.placed(), backward=False).output
    quality = form.quality(inputs, found.output, given)
    text = f"{quality.metric} {quality.value:.2g}, allowed {quality.limit:.2g}"
    return {"quality": text, "quality_holds": quality.holds}


def missed(goal: Goal, row: Row) -> list[str]:
    """What a row does not reach of a goal, as text; empty when all is reached."""
    if row.unavailable:
        return [f"{row.form} did not run: {row.unavailable}"]
    reasons = [] if row.holds is not False else [row.parity.reason if row.parity else "quality"]
    if goal.ratio is not None and (row.ratio is None or row.ratio < goal.ratio):
        reasons.append(f"{row.ratio or 0:.2f}x, wanted {goal.ratio:g}x")
    for what in ("device_ops", "syncs", "copies"):
        limit = getattr(goal, what)
        if limit is None or row.counts is None:
            continue
        if getattr(row.counts, what) > limit:
            words = what.replace("_", " ")
            reasons.append(f"{getattr(row.counts, what)} {words}, wanted at most {limit}")
    return reasons


DTYPES = {str(dtype).removeprefix("torch."): dtype for dtype in TOLERANCE}
