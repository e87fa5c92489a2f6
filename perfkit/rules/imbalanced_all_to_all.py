"""In all-to-alls one rank moves much more than the others, and all of them take as long as it does.

What it does
    Over the traces of several ranks (`perfkit analyze` with all of them): compares the bytes that each
    rank moves in every all-to-all whose sizes are known, from 1.25 times the mean on. Speaks up where
    evening out would take at least a hundredth of the step, or where the others wait that long because
    the busiest rank then comes last to the group's next collective. One rank alone shows how its own
    sends are split: a hint, from twice the mean on.

Why it hurts
    Nobody leaves an all-to-all before its busiest rank has moved everything. That rank then computes on
    more tokens, and the others wait for it again at the next one.

How the saving is estimated
    The exposed transfer times one less mean over most: nothing where latency dominates, all of it where
    bandwidth does, half of it as likely. What the others wait afterwards is told as evidence and counted
    by late-rank; do not add them. One rank alone allows no estimate.

When not to act
    When the imbalance is that of single batches and another rank is hit each time: larger batches even
    it out. Dropping tokens over a capacity changes what is learned.
"""

from __future__ import annotations

from perfkit.analysis.all_to_all import OwnSplits, own_splits
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.rules._engine import Looked
from perfkit.rules._uneven import FIX

_TWICE = 2.0


def imbalanced_all_to_all(run: Run) -> Looked:
    """At most one finding, from one rank's own splits; over several ranks see `_uneven`.

    Raises:
        NotApplicable: no trace was read, or it holds no communication.
        NotObservable: the splits are not told.
    """
    if not isinstance(run.events, Events) or not trace_reading(run.events).work.is_comm.any():
        raise NotApplicable("no collective was traced on a device")
    try:
        splits = own_splits(run.events)
    except NotObservable as reason:
        if "no all-to-all" in str(reason):
            raise NotApplicable(str(reason)) from reason
        raise NotObservable(
            f"{reason}; the traces of several ranks may (perfkit analyze with all of them)"
        ) from reason
    at = (
        f"this rank's sends in {splits.calls} all-to-alls: the most that one rank gets is "
        f"{units.ratio(splits.ratio)} the mean"
    )
    return Looked(at, (_finding(splits),) if splits.ratio >= _TWICE else ())


def _finding(splits: OwnSplits) -> Finding:
    return Finding(
        title=f"Rank {splits.most} of the group gets {units.ratio(splits.ratio)} the mean of what this "
        "rank sends in all-to-alls",
        evidence={
            "collectives": splits.calls,
            "most_to": splits.most,
            "ratio": splits.ratio,
            "elements": sum(splits.to_peers),
        },
        fix=f"{FIX}. perfkit analyze over the traces of all ranks tells whether they all send there",
        confidence="low",
    )
