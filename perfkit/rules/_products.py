"""The matrix products of a step, each handed to one of three rules, so that none is told twice.

First those in float32 beside TF32 (`fp32_matmul_without_tf32`), then those with sides that tensor
cores dislike (`dims_not_aligned`), then all others (`tensor_cores_unused`). A rule speaks only of
products that take at least a twentieth of the step; those it keeps silent about go on to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

from perfkit.analysis.product_kernels import ProductKernels, product_kernels
from perfkit.analysis.roofline import Floor
from perfkit.analysis.run_floors import run_floors, tf32
from perfkit.analysis.step_floor import StepFloor
from perfkit.analysis.tensor_cores import Slow, off_tensor_cores, unaligned
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Saving
from perfkit.model.events import Events
from perfkit.model.run import Run

SHARE = 0.05
"""Share of the step from which products are worth a finding."""


@dataclass(frozen=True)
class Products:
    """The products of the costed steps with their floors on the device that is spoken of.

    Attributes:
        by_dtype, by_sides: those that are told for it; None where there are too few.
        others: all that are told for neither.
        kernels: of the trace; None where none was recorded with device work.
    """

    floor: StepFloor
    rows: tuple[Floor, ...]
    by_dtype: Slow | None
    by_sides: Slow | None
    others: tuple[Floor, ...]
    kernels: ProductKernels | None
    tf32: bool

    @property
    def at(self) -> str:
        """What was looked at, for people."""
        count = sum(row.cost.calls for row in self.rows) / self.floor.steps
        step = units.ns(self.floor.step_ns)
        return f"{units.count(count)} products per step on {self.floor.peaks.device}; a step takes {step}"


def products(run: Run) -> Products:
    """The products of a run, handed out.

    Raises:
        NotApplicable: no step was costed, or none of its products.
        NotObservable: no GPU's peaks are known.
    """
    floor = run_floors(run).first
    rows = tuple(row for row in floor.rows if row.cost.unit == "matmul" and row.cost.flops)
    if floor.peaks.launch_ns is None:
        raise NotObservable("no GPU's peaks are known to hold the products against")
    if not rows:
        raise NotApplicable("the step has no matrix product with a known cost")
    named = kernels_of(run)
    allowed = tf32(run) or (named is not None and tf32_seen(named))
    by_dtype = None if allowed else _worth(off_tensor_cores(rows, floor.peaks), floor)
    left = _without(rows, by_dtype)
    by_sides = _worth(unaligned(left, allowed), floor)
    return Products(floor, rows, by_dtype, by_sides, _without(left, by_sides), named, allowed)


def kernels_of(run: Run) -> ProductKernels | None:
    """Kernels of products by name; None where no trace with such kernels is at hand."""
    if run.device != "cuda" or not isinstance(run.events, Events):
        return None
    found = product_kernels(run.events)
    return found if found.by_units else None


def tf32_seen(named: ProductKernels) -> bool:
    """A product was computed in TF32, so the program allows it, whatever else the trace lacks."""
    return bool(named.of("TF32", convolutions=False))


def saving(gain_ns: float, shares: tuple[float, float, float], method: str) -> Saving:
    """Three shares of what may be gained per step."""
    low, likely, high = (round(gain_ns * share) for share in shares)
    return Saving(low, likely, high, method)


def evidence(slow: Slow, floor: StepFloor) -> dict[str, str | int | float | None]:
    """What every finding about products stands on."""
    first = slow.rows[0]
    return {
        "products": sum(row.calls for row in slow.rows) / floor.steps,
        "products_ns": round(slow.now_ns / floor.steps),
        "step_ns": round(floor.step_ns),
        "first": f"{first.op} {first.signature}",
        "module": first.module,
        "device": floor.peaks.device,
    }


def matters(slow: Slow, floor: StepFloor) -> bool:
    """They take at least a twentieth of the step."""
    return slow.now_ns / floor.steps >= SHARE * floor.step_ns


def _worth(slow: Slow | None, floor: StepFloor) -> Slow | None:
    return slow if slow is not None and matters(slow, floor) else None


def _without(rows: tuple[Floor, ...], slow: Slow | None) -> tuple[Floor, ...]:
    told: set[OpCost] = set() if slow is None else set(slow.rows)
    return tuple(row for row in rows if row.cost not in told)
