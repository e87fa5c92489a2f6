"""The outcome of imbalanced-all-to-all over several ranks; its page is that rule's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from perfkit.analysis.all_to_all import Uneven, uneven_all_to_alls, uneven_table
from perfkit.analysis.ranks import Ranks
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Finding, Outcome, Saving
from perfkit.model.table import Table

RULE = "imbalanced-all-to-all"
_RATIO = 1.25
_WORTH = 0.01
_METHOD = "exposed transfer times (1 - mean / most): none, half and all of it"

FIX = (
    "Even out what ranks get: a balancing loss or a capacity factor for experts, tables sharded by "
    "measured traffic, batches by total length instead of count"
)


def uneven_outcome(found: Ranks) -> Outcome | None:
    """What the rule concludes from all ranks; None where they hold no all-to-all with known sizes."""
    try:
        every = uneven_all_to_alls(found)
    except NotObservable:
        return None
    uneven = [one for one in every if one.ratio >= _RATIO]
    at = (
        f"{len(uneven)} of {len(every)} all-to-alls move {_RATIO} times the mean or more on one rank; "
        f"{len(found.reports)} ranks"
    )
    findings = (_finding(found, uneven, len(every)),) if _matters(found, uneven) else ()
    return Outcome(RULE, "found" if findings else "clear", at, findings)


def uneven_tables(found: Ranks) -> dict[str, Table]:
    """The all-to-alls of all ranks under their name; none where their sizes are not known."""
    try:
        return {"uneven_all_to_alls": uneven_table(uneven_all_to_alls(found))}
    except NotObservable:
        return {}


def _matters(found: Ranks, uneven: Sequence[Uneven]) -> bool:
    step = median(r.phases.total_ns / found.steps for r in found.reports.values())
    lost = max(sum(u.excess_ns for u in uneven), sum(u.caused_ns for u in uneven))
    return bool(uneven) and lost / found.steps >= _WORTH * step


def _finding(found: Ranks, uneven: Sequence[Uneven], of: int) -> Finding:
    times = Counter(one.heaviest for one in uneven)
    rank, count = times.most_common(1)[0]
    ratio = median(one.ratio for one in uneven)
    excess = sum(one.excess_ns for one in uneven) // found.steps
    whose = f"rank {rank}" if 2 * count > len(uneven) else "another rank each time"
    return Finding(
        title=f"{len(uneven)} of {of} all-to-alls are uneven: the busiest, {whose}, moves "
        f"{units.ratio(ratio)} the mean",
        evidence={
            "collectives": len(uneven),
            "ratio": ratio,
            "worst_ratio": max(one.ratio for one in uneven),
            "rank": rank,
            "times": count,
            "most_bytes": max(max(one.moved.values()) for one in uneven),
            "transfer_ns_per_step": sum(one.transfer_ns for one in uneven) // found.steps,
            "others_wait_ns_per_step": sum(one.caused_ns for one in uneven) // found.steps,
        },
        saving=Saving(0, excess // 2, excess, _METHOD),
        fix=FIX,
        confidence="likely",
    )
