"""Matrix products leave tensor cores idle: too small for the device, or given to other units.

What it does
    In a trace, adds up the kernels of products in 16-bit types, or in float32 where TF32 is allowed,
    whose names show no tensor cores. Where there are none to speak of, looks for products bound by
    arithmetic that fill less than 60 % of the device's units, however the library may cut them into
    tiles (which way it does is not known). Speaks up only where they take at least a twentieth of
    the step. What fp32_matmul_without_tf32 and dims_not_aligned tell is left to them.

Why it hurts
    Outside of tensor cores a product runs at an eighth of the rate and less. And a unit without a
    tile of the output has nothing to do until the product is through.

How the saving is estimated
    For kernels beside the tensor cores, their measured time shrinks at most as the peaks of the two
    kinds of units do: 0, 20 and 100 % of that, because libraries choose them for shapes that tensor
    cores do badly. For small products it is 0, 20 and 100 % of the time of the idle units.

When not to act
    When the products are small because the batch is: a larger batch is another experiment, it changes
    what is learned. Products with one row move memory, and no unit makes them faster.
"""

from __future__ import annotations

from perfkit.analysis.kernels import KernelStat
from perfkit.analysis.product_kernels import summed_ns
from perfkit.analysis.step_floor import StepFloor
from perfkit.analysis.tensor_cores import Slow, unfilled
from perfkit.analysis.wave_quantisation import Filling
from perfkit.base import units
from perfkit.model.diagnosis import Finding
from perfkit.model.peaks import Peaks
from perfkit.model.run import Run
from perfkit.rules import _products
from perfkit.rules._engine import Looked
from perfkit.rules._products import Products

_SHARES = (0.0, 0.2, 1.0)
_NAME = 80

FIX = (
    "Run several such products as one: a larger batch, projections with one concatenated weight, or "
    "torch.bmm over products of the same shape"
)
FIX_KERNELS = (
    "Give these products sides of whole multiples of 8, contiguous operands and both in one dtype: "
    "then the library can choose its tensor-core kernels"
)


def tensor_cores_unused(run: Run) -> Looked:
    """At most one finding: kernels on other units, else products too small for the device.

    Raises:
        NotApplicable: no step was costed, or none of its products.
        NotObservable: no GPU's peaks are known.
    """
    found = _products.products(run)
    beside = _beside(found)
    if beside and summed_ns(beside) / found.floor.steps >= _products.SHARE * found.floor.step_ns:
        return Looked(found.at, (_by_kernels(beside, found.floor),))
    small = unfilled(found.others, found.floor.peaks.compute_units)
    if small is None or small.filled is None or not _products.matters(small, found.floor):
        return Looked(found.at)
    return Looked(found.at, (_by_size(small, small.filled, found.floor),))


def _beside(found: Products) -> tuple[KernelStat, ...]:
    """Kernels that tensor cores could have been, what another rule tells left out."""
    if found.kernels is None or found.by_sides is not None:
        return ()
    named, has_tf32 = found.kernels, "tf32" in found.floor.peaks.matmul
    kernels = [stat for conv in (False, True) for stat in named.of("narrow", convolutions=conv)]
    for conv in (False, True):
        if has_tf32 and named.of("TF32", convolutions=conv):
            kernels += named.of("float32", convolutions=conv)
    return tuple(sorted(kernels, key=lambda stat: -stat.time_ns))


def _by_kernels(beside: tuple[KernelStat, ...], floor: StepFloor) -> Finding:
    now = summed_ns(beside) / floor.steps
    method = "0, 20 and 100 % of what the peaks of tensor cores over those of other units promise"
    return Finding(
        title=f"Kernels of products take {units.ns(now)} per step beside the tensor cores of "
        f"{floor.peaks.device}",
        evidence={
            "kernels": sum(stat.calls for stat in beside) / floor.steps,
            "kernels_ns": round(now),
            "step_ns": round(floor.step_ns),
            "first": beside[0].name[:_NAME],
            "first_op": beside[0].op,
            "device": floor.peaks.device,
        },
        saving=_products.saving(now * _most(floor.peaks), _SHARES, method),
        fix=FIX_KERNELS,
        confidence="low",
    )


def _most(peaks: Peaks) -> float:
    """The share of their time that tensor cores save at most."""
    slow = peaks.vector.get("float32")
    fast = [peaks.matmul[name] for name in ("tf32", "float16", "bfloat16") if name in peaks.matmul]
    if slow is None or not fast:
        return 0.5
    return max(0.0, 1 - slow.value / min(peak.value for peak in fast))


def _by_size(small: Slow, filled: Filling, floor: StepFloor) -> Finding:
    idle = (small.now_ns - (small.best_ns or 0.0)) / floor.steps
    device_units = floor.peaks.compute_units
    return Finding(
        title=f"Matrix products fill {units.share(filled.high)} of {floor.peaks.device}'s "
        f"{device_units} units at best",
        place=small.rows[0].place,
        evidence={
            **_products.evidence(small, floor),
            "filled at best": filled.high,
            "filled at worst": filled.low,
            "units": device_units,
        },
        saving=_products.saving(
            idle, _SHARES, "0, 20 and 100 % of the time of the units without a tile"
        ),
        fix=FIX,
        confidence="low",
    )
