"""Matrix products leave tensor cores idle: float32 without TF32, awkward sides, too small.

What it does
    Looks for products in float32 on a GPU whose tensor cores would take them as TF32, and for
    products in 16- and 8-bit types whose sides are no multiples of 8 or 16. Also for products bound
    by arithmetic that fill less than 60 % of the device's units, however the library may cut them
    into tiles (which way it does is not known). Speaks up only where these products take at least a
    twentieth of the step: in a step that waits for its launches, faster arithmetic changes nothing.

Why it hurts
    Outside of tensor cores a product runs at an eighth of the rate and less. Inside, sides that do
    not fill whole 16-byte lines force slower loads, and part of every tile is thrown away. A unit
    without a tile of the output has nothing to do until the product is through.

How the saving is estimated
    For dtypes, the time of the products (measured where a GPU was, else their floor) shrinks as
    their roofline does: 20, 50 and 100 % of that is the range. For sides nothing is modelled;
    published effects lie between nothing and a half of the products' time, and likely is a tenth.
    For small products it is 0, 20 and 100 % of the time of the idle units.

When not to act
    When float32 accuracy is needed in these products: TF32 keeps 10 bits of the mantissa. A few
    products that need it can be left out. Padding a side costs memory and must be masked. A larger
    batch is another experiment: it changes what is learned.
"""

from __future__ import annotations

from perfkit.analysis.run_floors import run_floors
from perfkit.analysis.step_floor import StepFloor
from perfkit.analysis.tensor_cores import Slow, off_tensor_cores, unaligned, unfilled
from perfkit.analysis.wave_quantisation import Filling
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.run import Run
from perfkit.rules._engine import Looked

_SHARE = 0.05
_OF_DTYPE = (0.2, 0.5, 1.0)
_OF_SIDES = (0.0, 0.1, 0.5)
_OF_IDLE = (0.0, 0.2, 1.0)


def tensor_cores_unused(run: Run) -> Looked:
    """At most one finding for dtypes, one for sides, and one for the size of all other products.

    Raises:
        NotApplicable: no step was costed, or none of its products.
        NotObservable: no GPU's peaks are known.
    """
    floor = run_floors(run).first
    products = [row for row in floor.rows if row.cost.unit == "matmul" and row.cost.flops]
    if floor.peaks.launch_ns is None:
        raise NotObservable("no GPU's peaks are known to hold the products against")
    if not products:
        raise NotApplicable("the step has no matrix product with a known cost")
    at = f"{units.count(sum(r.cost.calls for r in products) / floor.steps)} products per step"
    at += f" on {floor.peaks.device}; a step takes {units.ns(floor.step_ns)}"
    slow = None if _tf32(run) else off_tensor_cores(products, floor.peaks)
    found = [(slow, _by_dtype), (unaligned(products), _by_sides)]
    findings: list[Finding] = []
    told: set[OpCost] = set()
    for each, tell in found:
        if each is not None and _matters(each, floor):
            findings.append(tell(each, floor))
            told.update(each.rows)
    others = [row for row in products if row.cost not in told]
    small = unfilled(others, floor.peaks.compute_units)
    if small is not None and small.filled is not None and _matters(small, floor):
        findings.append(_by_size(small, small.filled, floor))
    return Looked(at, tuple(findings))


def _matters(slow: Slow, floor: StepFloor) -> bool:
    return slow.now_ns / floor.steps >= _SHARE * floor.step_ns


def _by_dtype(slow: Slow, floor: StepFloor) -> Finding:
    gain = (slow.now_ns - (slow.best_ns or 0.0)) / floor.steps
    low, likely, high = (round(gain * share) for share in _OF_DTYPE)
    return Finding(
        title=f"Matrix products in float32 take {units.ns(slow.now_ns / floor.steps)} per step "
        f"beside the tensor cores of {floor.peaks.device}",
        place=slow.rows[0].place,
        evidence=_evidence(slow, floor),
        saving=Saving(low, likely, high, "rooflines in TF32 over those in float32"),
        fix="Allow TF32 (torch.set_float32_matmul_precision('high')), or compute in bfloat16 with "
        "autocast",
        confidence="likely" if slow.rows[0].device_ns is not None else "low",
    )


def _by_sides(odd: Slow, floor: StepFloor) -> Finding:
    time = odd.now_ns / floor.steps
    low, likely, high = (round(time * share) for share in _OF_SIDES)
    sides = ", ".join(map(str, odd.unaligned))
    return Finding(
        title=f"Matrix products of {odd.rows[0].dtype} have sides that tensor cores dislike: {sides}",
        place=odd.rows[0].place,
        evidence={**_evidence(odd, floor), "sides": sides},
        saving=Saving(low, likely, high, "0, 10 and 50 % of the products' time"),
        fix="Pad vocabulary, hidden and batch sizes to multiples of 8 (64 is better, 16 for 8-bit "
        "types)",
        confidence="low",
    )


def _by_size(small: Slow, filled: Filling, floor: StepFloor) -> Finding:
    idle = (small.now_ns - (small.best_ns or 0.0)) / floor.steps
    low, likely, high = (round(idle * share) for share in _OF_IDLE)
    device_units = floor.peaks.compute_units
    return Finding(
        title=f"Matrix products fill {units.share(filled.high)} of {floor.peaks.device}'s "
        f"{device_units} units at best",
        place=small.rows[0].place,
        evidence={
            **_evidence(small, floor),
            "filled at best": filled.high,
            "filled at worst": filled.low,
            "units": device_units,
        },
        saving=Saving(low, likely, high, "0, 20 and 100 % of the time of the units without a tile"),
        fix="Run several such products as one: a larger batch, projections with one concatenated "
        "weight, or torch.bmm over products of the same shape",
        confidence="low",
    )


def _evidence(slow: Slow, floor: StepFloor) -> dict[str, str | int | float | None]:
    first = slow.rows[0]
    return {
        "products": sum(row.calls for row in slow.rows) / floor.steps,
        "products_ns": round(slow.now_ns / floor.steps),
        "step_ns": round(floor.step_ns),
        "first": f"{first.op} {first.signature}",
        "module": first.module,
        "device": floor.peaks.device,
    }


def _tf32(run: Run) -> bool:
    return run.env.get("float32 products") in ("high", "medium")
