"""The same tensor is cast to another dtype again and again within one step.

What it does
    Finds lines that cast a tensor which was cast to the same dtype before in the step and has not
    changed since: a mask's `.float()` in every layer, a weight under autocast with its cache off, a
    tensor that goes to another dtype and straight back. In a program without a backward pass also
    weights cast once per step, because they could be stored that way. Speaks up where leaving these
    casts out gains at least a twentieth of the step.

Why it hurts
    A cast computes nothing: it reads the tensor, writes it in another width, and costs a launch.

How the saving is estimated
    The bytes of the repeated casts at the bandwidth of the device, and their launches: likely is
    whichever limits the step (the smaller where both do), low the smaller and high the larger. In a
    step bound by launches it overlaps with launch_bound_step and python_bound_step: do not add them.

When not to act
    When keeping the cast tensor takes memory that is short. Casts of different tensors at one line
    are what mixed precision is made of and are not told; a trace does not tell them apart.
"""

from __future__ import annotations

from perfkit.analysis.run_floors import run_floors
from perfkit.analysis.step_floor import StepFloor
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.model.operands import Operands
from perfkit.model.run import Run
from perfkit.rules import _operands, _places
from perfkit.rules._engine import Looked

FIX = "Cast once, keep the result and use it in every turn; make buffers and masks in the dtype needed"
FIX_AUTOCAST = (
    "Put all calls that share the weight under one torch.autocast with cache_enabled=True, or keep a "
    "copy of it in the narrow dtype"
)
FIX_INFERENCE = "Store the weights in that dtype once, before the first step: model.to(dtype)"


def dtype_casts_in_loop(run: Run) -> Looked:
    """One finding per line.

    Raises:
        NotApplicable: no step was costed.
        NotObservable: nobody looked at operands, or no device's bandwidth is known.
    """
    casts = _operands.operands(run, "cast")
    floor = run_floors(run).first
    if floor.peaks.bandwidth is None:
        raise NotObservable(f"no memory bandwidth is known of {floor.peaks.device}")
    learns = any(row.phase == "backward" for row in run.costs)
    wasted = [(row, _again(row, learns)) for row in casts]
    again = {row: count for row, count in wasted if count}
    found = [_finding(rows, again, floor, learns) for rows in _operands.by_place(again)]
    calls = sum(row.calls for row in casts) / run.costed_steps
    at = f"{units.count(calls)} casts per step, {units.count(sum(again.values()))} of them repeated"
    return Looked(at, tuple(finding for finding in found if _matters(finding, floor)))


def _again(row: Operands, learns: bool) -> int:
    """Calls that could have been left out."""
    return row.calls if row.of_parameter and not learns else row.repeated


def _matters(finding: Finding, floor: StepFloor) -> bool:
    saving = finding.saving
    return saving is not None and saving.likely_ns >= _operands.SHARE * floor.step_ns


def _finding(
    rows: list[Operands], again: dict[Operands, int], floor: StepFloor, learns: bool
) -> Finding:
    most = max(rows, key=lambda row: row.nbytes)
    calls = sum(again[row] for row in rows) / floor.steps
    nbytes = sum(row.nbytes * again[row] / row.calls for row in rows) / floor.steps
    return Finding(
        title=_title(most, calls, nbytes),
        place=most.place,
        code=_places.code_at(most.place),
        evidence={
            "casts_per_step": sum(row.calls for row in rows) / floor.steps,
            "repeated_per_step": calls,
            "nbytes": round(nbytes),
            "largest": f"{most.what} {list(most.shape)}",
            "of_parameters": most.of_parameter,
            "module": _operands.module_of(most),
            "device": floor.peaks.device,
        },
        saving=_operands.copies_saving(nbytes, calls, floor),
        fix=_fix(most, learns),
        confidence="likely",
    )


def _title(row: Operands, calls: float, nbytes: float) -> str:
    count, what = units.count(calls), f"{row.what}, {units.nbytes(nbytes)}"
    if row.of_parameter and not row.repeated:
        return f"{count} casts per step are of weights that do not change: {what}"
    of = " of weights" if row.of_parameter else ""
    return f"{count} casts{of} per step repeat earlier ones: {what}"


def _fix(row: Operands, learns: bool) -> str:
    if not row.of_parameter:
        return FIX
    return FIX_AUTOCAST if learns else FIX_INFERENCE
