"""Feature slots are looked up, or copied to the device, one by one.

What it does
    Finds a loop or comprehension that looks up an embedding per slot, from the operators counted by
    line, and one that copies a tensor per slot to the device. Speaks up from eight of either per step
    in one loop.

Why it hurts
    Twenty-eight slots are twenty-eight lookups and as many sums, each a launch that takes longer than
    what it computes, and two copies each that wait. The slots need not differ in code: one table with
    an offset per slot, and one packed buffer, do the same in a handful of calls.

How the saving is estimated
    Lookups: the loop's operator calls per step beyond those of one slot, at 5, 7 and 10 µs; low is
    nothing, because a device that is busy hides them, and likely is half. It overlaps with
    python_bound_step and launch_bound_step, which count the same launches: do not add them. Copies:
    like blocking_copies, for the whole loop.

When not to act
    When the tables have different widths, or when each lookup is large enough to fill the device.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress

from perfkit.analysis.launches import LAUNCH_NS
from perfkit.analysis.loops import Loop, loops_around
from perfkit.analysis.sync_costs import step_limit
from perfkit.analysis.sync_points import SyncPoint
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.run import Run
from perfkit.rules import _claims
from perfkit.rules._claims import Claim
from perfkit.rules._engine import Looked

PRIORITY = 30
LEAST = 8.0
_SHARES = (0.0, 0.5, 1.0)
_SLOTS = re.compile(r"slot|\bbags?\b|feature|field|column|embed|table|sparse", re.IGNORECASE)
_LOOKUPS = frozenset(
    {"aten::embedding", "aten::_embedding_bag", "aten::_embedding_bag_forward_only"}
)
_METHOD = (
    "launches of all slots but one at 5, 7 and 10 µs, of which none, half and all delay the step"
)

FIX_LOOKUPS = (
    "Put the slots into one table and look all of them up at once: perfkit.rewrites.fused_embedding"
)
FIX_COPIES = (
    "Pack the slots into one pinned tensor, copy that with non_blocking=True, split it there"
)


def per_slot_embedding(run: Run) -> Looked:
    """One finding per loop that looks up, and per loop that copies.

    Raises:
        NotApplicable: neither copies nor operators were recorded by line.
    """
    copies: tuple[Claim, ...] = ()
    with suppress(NotApplicable, NotObservable):  # lookups are found without waits too
        copies = _claims.claimed(run, "per_slot_embedding")
    if not copies and not _counted(run):
        raise NotApplicable("operators were not counted by line, and no copies in a loop were seen")
    lookups = [_looking(run, loop, count) for loop, count in lookup_loops(run).items()]
    found = (*lookups, *(_copies(run, claim) for claim in copies))
    calls = sum(row.calls for row in run.costs if row.op in _LOOKUPS)
    per_step = units.count(round(calls / max(run.costed_steps, 1), 1))
    return Looked(f"{per_step} embedding lookups per step", found)


def loop_of(point: SyncPoint, loops: Sequence[Loop]) -> Loop | None:
    """The outermost loop over slots around a copy to the device."""
    mine = [loop for loop in loops if _SLOTS.search(loop.text)]
    return mine[-1] if mine and point.direction == "h2d" else None


def _counted(run: Run) -> bool:
    return bool(run.costed_steps) and any(row.place is not None for row in run.costs)


def lookup_loops(run: Run) -> dict[Loop, float]:
    """Loops that look up often, with their lookups per step."""
    counts: dict[Loop, float] = defaultdict(float)
    outside = _claims.outside_loops(run)
    for row in run.costs:
        if row.op in _LOOKUPS and row.place is not None and row.phase != "backward":
            for loop in loops_around([row.place], outside)[-1:]:
                counts[loop] += row.calls / run.costed_steps
    return {loop: count for loop, count in counts.items() if count >= LEAST}


def _looking(run: Run, loop: Loop, count: float) -> Finding:
    calls = _claims.operators(run, loop) or count
    lookups = units.count(round(count, 1))
    function = loop.place.function or "the script"
    return Finding(
        title=f"{lookups} embedding lookups one after another in {function}: "
        f"{units.count(round(calls, 1))} operators per step that a few would do",
        place=loop.place,
        code=loop.text,
        evidence={"lookups_per_step": count, "operators_in_loop": calls},
        saving=_saving(calls * (1 - 1 / count), step_limit(run)),
        fix=FIX_LOOKUPS,
        rewrite="fused_embedding",
        confidence="likely" if run.device == "cuda" else "low",
    )


def _saving(launches: float, limit_ns: int | None) -> Saving:
    parts = (launches * ns * share for ns, share in zip(LAUNCH_NS, _SHARES, strict=True))
    low, likely, high = (round(min(ns, limit_ns) if limit_ns else ns) for ns in parts)
    return Saving(low, likely, high, _METHOD)


def _copies(run: Run, claim: Claim) -> Finding:
    return _claims.finding(
        run,
        claim,
        f"The slots are copied one by one in {claim.function}: {_claims.told(run, claim)}",
        FIX_COPIES,
        rewrite="fused_embedding",
    )
