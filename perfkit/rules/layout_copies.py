"""Tensors are copied only to lie differently in memory.

What it does
    Finds lines whose copies have the same elements in another order: `.contiguous()` of a transposed
    tensor, `.reshape` where no view will do, `expand` written out. In a trace, the copies beneath
    `contiguous` and `reshape`, and the kernels with which cuDNN turns images between channels-first
    and channels-last around convolutions. Speaks up where they take at least a twentieth of the step.

Why it hurts
    Nothing is computed: the whole tensor is read and written, in one of the two badly ordered.

How the saving is estimated
    In a trace the time of these kernels: none, half and all of it. Else their bytes at the bandwidth
    of the device, and their launches: likely is whichever limits the step (the smaller where both
    do), low the smaller and high the larger. In a step bound by launches it overlaps with
    launch_bound_step: do not add them. fusible_elementwise_chain holds no copies.

When not to act
    When the copy makes many later reads faster than it took. Where heads of an attention are turned
    once before and after, that is what it costs, unless a kernel takes the other layout.
"""

from __future__ import annotations

from dataclasses import replace

from perfkit.analysis.layout_work import COPIED, TURNED, LayoutCopies, layout_work, place_of
from perfkit.analysis.run_floors import run_floors
from perfkit.analysis.step_floor import StepFloor
from perfkit.analysis.steps import typical_step
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.events import Events
from perfkit.model.operands import Operands
from perfkit.model.run import Run
from perfkit.rules import _operands, _places
from perfkit.rules._engine import Looked

_SHARES = (0.0, 0.5, 1.0)
_METHOD = "none, half and all of the time of these kernels"
_NAMED = 3
_NAME = 60

FIX = (
    "Keep the layout from where the tensor is made, or hand the strided tensor on: matmul and einsum "
    "take it; view instead of reshape shows where a copy would be made"
)
FIX_EXPANDED = "Leave the expanded view as it is: operators repeat it while they read"
FIX_TURNED = (
    "Keep images channels-last all the way: model.to(memory_format=torch.channels_last), the input "
    "as well, and no .contiguous() in between"
)


def layout_copies(run: Run) -> Looked:
    """One finding per line, or, from a trace, one per cause.

    Raises:
        NotApplicable: no step was costed.
        NotObservable: nobody looked at operands, no device work was recorded, or no device's
            bandwidth is known.
    """
    if run.device == "cuda" and isinstance(run.events, Events) and run.operands is None:
        return _of_trace(run, run.events)
    copies = _operands.operands(run, "layout")
    floor = run_floors(run).first
    if floor.peaks.bandwidth is None:
        raise NotObservable(f"no memory bandwidth is known of {floor.peaks.device}")
    found = [_finding(rows, floor) for rows in _operands.by_place(copies)]
    step = _operands.SHARE * floor.step_ns
    calls = units.count(sum(row.calls for row in copies) / run.costed_steps)
    return Looked(
        f"{calls} copies per step into another layout",
        tuple(f for f in found if f.saving is not None and f.saving.likely_ns >= step),
    )


def _finding(rows: list[Operands], floor: StepFloor) -> Finding:
    most = max(rows, key=lambda row: row.nbytes)
    calls = sum(row.calls for row in rows) / floor.steps
    nbytes = sum(row.nbytes for row in rows) / floor.steps
    what = {"transposed": "a transposed tensor", "expanded": "an expanded tensor"}
    return Finding(
        title=f"{units.nbytes(nbytes)} per step are copied to make {what.get(most.what, most.what)} "
        f"contiguous",
        place=most.place,
        code=_places.code_at(most.place),
        evidence={
            "copies_per_step": calls,
            "nbytes": round(nbytes),
            "largest": f"{most.what} {list(most.shape)}",
            "module": _operands.module_of(most),
            "device": floor.peaks.device,
        },
        saving=_operands.copies_saving(nbytes, calls, floor),
        fix=FIX_EXPANDED if most.what == "expanded" else FIX,
        confidence="low",
    )


def _of_trace(run: Run, events: Events) -> Looked:
    found = layout_work(events)
    if not found.device_ns:
        raise NotObservable("the trace holds no work of a device")
    step = float(typical_step(run).median_ns)
    causes = [(cause, found.of(cause)) for cause in (TURNED, COPIED)]
    told = [
        (cause, copies, sum(each.time_ns for each in copies) / found.steps)
        for cause, copies in causes
    ]
    took = units.ns(sum(ns for _, _, ns in told))
    return Looked(
        f"{took} of copies into another layout; a step takes {units.ns(step)}",
        tuple(
            replace(_traced(cause, copies, ns, found.steps), place=place_of(events, copies[0]))
            for cause, copies, ns in told
            if copies and ns >= _operands.SHARE * step
        ),
    )


def _traced(cause: str, copies: tuple[LayoutCopies, ...], ns: float, steps: int) -> Finding:
    low, likely, high = (round(ns * share) for share in _SHARES)
    modules = list(dict.fromkeys(each.module for each in copies if each.module))
    return Finding(
        title=f"Tensors are {cause} for {units.ns(ns)} of device time per step",
        evidence={
            "copies_per_step": sum(each.calls for each in copies) / steps,
            "time_ns": round(ns),
            "by": ", ".join(dict.fromkeys(each.name[:_NAME] for each in copies[:_NAMED])),
            "modules": ", ".join(modules[:_NAMED]) or None,
        },
        saving=Saving(low, likely, high, _METHOD),
        fix=FIX_TURNED if cause == TURNED else FIX,
        confidence="likely" if cause == TURNED else "low",
    )
