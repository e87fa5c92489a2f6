"""How long each operator has to take at least, and what sets that bound: the roofline.

Definition (Williams, Waterman, Patterson, "Roofline: an insightful visual performance model", CACM
2009): a call of F FLOPs that moves B bytes takes at least max(F / peak, B / bandwidth), with every
operand travelling once. Where the first is larger the call is bound by arithmetic, else by memory.
Knows nothing of launches, waits or Python: `step_floor` adds those.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from perfkit.model.costs import OpCost
from perfkit.model.peaks import Peak, Peaks

Bound = Literal["compute", "memory", "nothing"]
By = Literal["op", "module", "region", "phase", "step"]
BY: tuple[By, ...] = ("step", "phase", "region", "module", "op")

# Vector units compute narrow floats as float32 does, or faster.
_AS_FLOAT32 = ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")


@dataclass(frozen=True)
class Floor:
    """The least time of one row of costs, over all its calls.

    Attributes:
        compute_ns: FLOPs over the arithmetic peak; None where that peak is not known.
        memory_ns: bytes over the bandwidth; None where that is not known.
        bound: which of the two is larger; "nothing" where the call has neither; None unknown.
        why: why there is no floor, or why only one side of it is known; empty otherwise.
    """

    cost: OpCost
    compute_ns: float | None = None
    memory_ns: float | None = None
    bound: Bound | None = None
    why: str = ""

    @property
    def ns(self) -> float | None:
        """The floor; a bound from one side alone is still a bound. None where unknown."""
        known = [ns for ns in (self.compute_ns, self.memory_ns) if ns is not None]
        return max(known) if known else None


def floor(cost: OpCost, peaks: Peaks, tf32: bool = False) -> Floor:
    """The floor of one row on one device; without a cost or a peak it carries the reason.

    Args:
        tf32: products of float32 may be rounded to TF32, as the program allowed it.
    """
    if cost.flops is None or cost.nbytes is None:
        return Floor(cost, why=cost.unknown or "its cost is not known")
    if not cost.flops and not cost.nbytes:
        return Floor(cost, 0.0, 0.0, "nothing")
    peak = arithmetic_peak(cost.unit, cost.dtype, peaks, tf32)
    compute = _ns(cost.flops, peak)
    memory = _ns(cost.nbytes, peaks.bandwidth)
    why = ""
    if compute is None:
        why = f"no {cost.unit} peak for {cost.dtype or 'this dtype'} on {peaks.device}"
    if memory is None:
        why = f"no memory bandwidth is known of {peaks.device}"
    bound: Bound | None = None
    if compute is not None or memory is not None:
        bound = "compute" if (compute or 0.0) > (memory or 0.0) else "memory"
    return Floor(cost, compute, memory, bound, why)


def floors(costs: Iterable[OpCost], peaks: Peaks, tf32: bool = False) -> tuple[Floor, ...]:
    """`floor` of every row, in order."""
    return tuple(floor(cost, peaks, tf32) for cost in costs)


def arithmetic_peak(unit: str, dtype: str, peaks: Peaks, tf32: bool = False) -> Peak | None:
    """The FLOP/s that hold for a unit and dtype; None where none is known."""
    found = peaks.flops_per_s(unit, dtype, tf32)
    if found is None and unit == "vector" and dtype in _AS_FLOAT32:
        return peaks.vector.get("float32")
    return found


@dataclass(frozen=True)
class Group:
    """Rows that belong together, summed; all amounts over all their calls.

    Attributes:
        calls: all calls; `known`: those with a cost.
        flops, nbytes, floor_ns: of the known ones.
        measured_ns: of all rows where each was measured; None where one was not.
        compute_bound_ns, memory_bound_ns: the two parts of `floor_ns`.
    """

    name: str
    calls: int
    known: int
    flops: int
    nbytes: int
    compute_bound_ns: float
    memory_bound_ns: float
    measured_ns: int | None
    rows: tuple[Floor, ...]

    @property
    def floor_ns(self) -> float:
        return self.compute_bound_ns + self.memory_bound_ns

    @property
    def intensity(self) -> float | None:
        """FLOP per byte of what is known; None where no byte moves."""
        return self.flops / self.nbytes if self.nbytes else None

    @property
    def bound(self) -> Bound | None:
        """What sets most of the floor; None where nothing is known."""
        if not self.known:
            return None
        if not self.floor_ns:
            return "nothing"
        return "compute" if self.compute_bound_ns > self.memory_bound_ns else "memory"

    def self_check(self) -> None:
        """The parts sum to the whole.

        Raises:
            AssertionError: they do not.
        """
        total = sum(row.ns or 0.0 for row in self.rows)
        assert abs(total - self.floor_ns) <= 1e-6 * max(1.0, total), (self.name, total)
        assert self.known <= self.calls


def grouped(rows: Iterable[Floor], key: Callable[[OpCost], str | None]) -> tuple[Group, ...]:
    """Rows by key, the largest floor first; rows whose key is None are left out."""
    members: dict[str, list[Floor]] = defaultdict(list)
    for row in rows:
        name = key(row.cost)
        if name is not None:
            members[name].append(row)
    groups = [_group(name, rows) for name, rows in members.items()]
    return tuple(sorted(groups, key=lambda g: (-g.floor_ns, -g.calls, g.name)))


def by(rows: Sequence[Floor], what: By) -> tuple[Group, ...]:
    """Rows by operator, module, region or phase, or all of the step."""
    keys: dict[By, Callable[[OpCost], str | None]] = {
        "op": lambda cost: cost.op,
        "module": lambda cost: cost.module and layers_together(cost.module),
        "region": lambda cost: cost.region,
        "phase": lambda cost: cost.phase,
        "step": lambda cost: "step",
    }
    return grouped(rows, keys[what])


def layers_together(module: str) -> str:
    """`Model.layers.3.moe` -> `Model.layers.*.moe`: what repeats is one line."""
    return _NUMBER.sub("*", module)


def measured_ns(cost: OpCost) -> int | None:
    """Time that was measured: of its kernels, else the host's; None where neither was."""
    return cost.host_ns if cost.device_ns is None else cost.device_ns


def _group(name: str, rows: list[Floor]) -> Group:
    known = [row for row in rows if row.ns is not None]
    times = [measured_ns(row.cost) for row in rows]
    measured = [ns for ns in times if ns is not None]
    return Group(
        name=name,
        calls=sum(row.cost.calls for row in rows),
        known=sum(row.cost.calls for row in known),
        flops=sum(row.cost.flops or 0 for row in known),
        nbytes=sum(row.cost.nbytes or 0 for row in known),
        compute_bound_ns=sum(row.ns or 0.0 for row in known if row.bound == "compute"),
        memory_bound_ns=sum(row.ns or 0.0 for row in known if row.bound != "compute"),
        measured_ns=sum(measured) if len(measured) == len(times) else None,
        rows=tuple(rows),
    )


def _ns(amount: int, peak: Peak | None) -> float | None:
    if not amount:
        return 0.0
    return amount / peak.value * 1e9 if peak is not None and peak.value > 0 else None
