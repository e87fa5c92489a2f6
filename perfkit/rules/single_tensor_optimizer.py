"""The optimizer updates one parameter at a time.

What it does
    Recognises Adam and its kin by `addcdiv_`, which a step runs once per parameter where the optimizer
    is neither fused nor grouped (foreach). Speaks up from sixteen per step on a GPU.

Why it hurts
    Ten or so launches per parameter, each for a tensor that is often a single bias. Fused, all
    parameters are updated in a handful of kernels.

How the saving is estimated
    Calls of the operators that only the optimizer issues (addcdiv_, addcmul_, lerp_) and as many again
    for its roots, divisions and scalings, at 5, 7 and 10 µs; low is nothing, because a busy device
    hides them, and likely is half. It overlaps with python_bound_step and launch_bound_step, which
    count the same launches: do not add them.

When not to act
    When parameters are sparse, or of a subclass of Tensor that the fused form refuses.
"""

from __future__ import annotations

from perfkit.analysis.launches import LAUNCH_NS
from perfkit.analysis.sync_costs import step_limit
from perfkit.base import units
from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.run import Run
from perfkit.rules._engine import Looked

_PER_PARAMETER = "aten::addcdiv_"
_OWN = frozenset({_PER_PARAMETER, "aten::addcmul_", "aten::lerp_"})
_LEAST = 16.0
_TWICE = 2
_SHARES = (0.0, 0.5, 1.0)
_METHOD = "launches per parameter at 5, 7 and 10 µs, of which none, half and all delay the step"

FIX = "Pass fused=True to the optimizer, or foreach=True where it has no fused form"


def single_tensor_optimizer(run: Run) -> Looked:
    """At most one finding, about the optimizer's step.

    Raises:
        NotApplicable: the run is not of a GPU (elsewhere optimizers choose this form by themselves), or
            no step was traced.
    """
    if run.device != "cuda":
        raise NotApplicable("optimizers choose their form by device, and this run is not of a GPU")
    steps = len(run.steps_measured("light"))
    calls = {op.name: op.calls for op in run.ops if op.place == "host"}
    if not steps or not calls:
        raise NotApplicable("no step was traced")
    updates = calls.get(_PER_PARAMETER, 0) / steps
    own = sum(calls.get(name, 0) for name in _OWN) / steps
    at = f"{units.count(round(updates, 1))} updates of single parameters per step"
    return Looked(at, (_finding(run, updates, own * _TWICE),) if updates >= _LEAST else ())


def _finding(run: Run, updates: float, launches: float) -> Finding:
    limit = step_limit(run)
    parts = (launches * ns * share for ns, share in zip(LAUNCH_NS, _SHARES, strict=True))
    low, likely, high = (round(min(ns, limit) if limit else ns) for ns in parts)
    count = units.count(round(updates, 1))
    return Finding(
        title=f"The optimizer updates {count} parameters one at a time per step",
        evidence={"updates_per_step": updates, "launches": launches},
        saving=Saving(low, likely, high, _METHOD),
        fix=FIX,
        confidence="likely",
    )
