"""Matrix products run in float32 on a GPU whose tensor cores would take them as TF32.

What it does
    Looks for products in float32 where TF32 is not allowed: by torch's setting where the program was
    run, by the names of the kernels where a trace has no setting (one product in TF32 means that it
    is allowed). A trace without shapes is judged by its kernels alone. Speaks up only where these
    products take at least a twentieth of the step: in a step that waits for its launches, faster
    arithmetic changes nothing. Convolutions are left out: they use TF32 unless it was forbidden.

Why it hurts
    Beside the tensor cores a float32 product runs at an eighth of the rate and less.

How the saving is estimated
    The time of the products (measured where a GPU was, else their floor) shrinks as their roofline
    does; 20, 50 and 100 % of that is the range. No product of this rule is told by dims_not_aligned
    or tensor_cores_unused.

When not to act
    When float32 accuracy is needed in these products: TF32 keeps 10 bits of the mantissa. A few
    products that need it can be left out. Where bfloat16 will do, it is twice as fast again.
"""

from __future__ import annotations

from perfkit.analysis.product_kernels import ProductKernels
from perfkit.analysis.step_floor import StepFloor
from perfkit.analysis.steps import typical_step
from perfkit.analysis.tensor_cores import Slow
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.model.peaks import Peaks
from perfkit.model.run import Run
from perfkit.rules import _products
from perfkit.rules._engine import Looked

_SHARES = (0.2, 0.5, 1.0)

FIX = (
    "Allow TF32 (torch.set_float32_matmul_precision('high')), or compute in bfloat16 with autocast"
)


def fp32_matmul_without_tf32(run: Run) -> Looked:
    """At most one finding, about all such products.

    Raises:
        NotApplicable: no step was costed, or none of its products, and no kernel names one.
        NotObservable: no GPU's peaks are known.
    """
    named = _products.kernels_of(run)
    if not run.costs and named is not None:
        return _by_names(run, named)
    found = _products.products(run)
    how = "TF32 is allowed; " if found.tf32 else ""
    findings = () if found.by_dtype is None else (_finding(found.by_dtype, found.floor),)
    return Looked(how + found.at, findings)


def _finding(slow: Slow, floor: StepFloor) -> Finding:
    gain = (slow.now_ns - (slow.best_ns or 0.0)) / floor.steps
    first = slow.rows[0]
    return Finding(
        title=_title(slow.now_ns / floor.steps, floor.peaks),
        place=first.place,
        evidence=_products.evidence(slow, floor),
        saving=_products.saving(gain, _SHARES, "rooflines in TF32 over those in float32"),
        fix=FIX,
        confidence="likely" if first.device_ns is not None else "low",
    )


def _by_names(run: Run, named: ProductKernels) -> Looked:
    """The same from kernels alone."""
    peaks = run.peaks
    if peaks is None:
        raise NotObservable("the peaks of this GPU are not known")
    step = float(typical_step(run).median_ns)
    plain = named.of("float32", convolutions=False)
    now = named.time_ns("float32", convolutions=False)
    at = f"{units.ns(now)} of float32 products by their kernels' names; a step takes {units.ns(step)}"
    allowed = _products.tf32_seen(named)
    gain = 0.0 if allowed else _gain(now, peaks)
    if not gain or now < _products.SHARE * step:
        return Looked("TF32 is allowed; " * allowed + at)
    finding = Finding(
        title=_title(now, peaks),
        evidence={
            "products": sum(stat.calls for stat in plain) / named.steps,
            "products_ns": round(now),
            "step_ns": round(step),
            "first": plain[0].name,
            "device": peaks.device,
        },
        saving=_products.saving(gain, _SHARES, "peak in TF32 over that in float32"),
        fix=FIX,
        confidence="likely",
    )
    return Looked(at, (finding,))


def _gain(now_ns: float, peaks: Peaks) -> float:
    """What TF32 takes off at most; 0 where the device has none."""
    fast, slow = peaks.matmul.get("tf32"), peaks.vector.get("float32")
    if fast is None or slow is None or "float32" in peaks.matmul:
        return 0.0
    return now_ns * max(0.0, 1 - slow.value / fast.value)


def _title(ns: float, peaks: Peaks) -> str:
    return (
        f"Matrix products in float32 take {units.ns(ns)} per step "
        f"beside the tensor cores of {peaks.device}"
    )
