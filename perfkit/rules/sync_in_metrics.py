"""Metrics are brought to the host in every step.

What it does
    Finds reads and copies to the host that are added up or collected: total += loss.item(),
    scores += out.cpu().tolist(), and those in functions named after a metric. All of one function
    are one finding. What is collected is none of them where the loop goes on from it: its last element
    is looked up there, or its length ends the loop, as with tokens that are drawn one after another.

Why it hurts
    A running mean needs no host: each read makes Python wait for the whole step before it may launch
    the next one, and input for the next step is not prepared meanwhile.

How the saving is estimated
    As for every wait: replayed from a trace without them where there is one, else per wait 10 to 20 µs
    for the call and 50 to 200 µs of idle device after it.

When not to act
    When the value decides what runs next, as in early stopping, or when results must leave the device
    each step because they would not fit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from perfkit.analysis.sync_points import SyncPoint
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules import _claims, _places
from perfkit.rules._claims import Claim
from perfkit.rules._engine import Looked

PRIORITY = 80
_READ = re.compile(r"\.(item|tolist|cpu|numpy)\(|\b(float|int)\(")
_COLLECT = re.compile(r"\+=|\.(append|extend|update)\(")
_METRIC = re.compile(r"metric|accura|evaluat|confusion|\bauc|f1_|perplexity", re.IGNORECASE)

FIX = (
    "Add up on the device (total += value.detach()) or keep the results in a list of tensors, and read "
    "once at the end"
)


def sync_in_metrics(run: Run) -> Looked:
    """One finding per function that collects values on the host.

    Raises:
        NotApplicable: nothing waits, or no step was watched.
        NotObservable: no source is at hand.
    """
    found = _claims.claimed(run, "sync_in_metrics")
    return Looked(_places.watched(run), tuple(_finding(run, claim) for claim in found))


def claims(points: Sequence[SyncPoint]) -> list[Claim]:
    """The reads that are collected, by function."""
    return _claims.by_function(points, _collects)


def _collects(point: SyncPoint) -> bool:
    if point.direction != "d2h" or point.site is None:
        return False
    code = _places.code_at(point.site)
    if not _READ.search(code) or _places.goes_on_from_it(point.site):
        return False
    return bool(_COLLECT.search(code) or _METRIC.search(point.site.function))


def _finding(run: Run, claim: Claim) -> Finding:
    return _claims.finding(
        run,
        claim,
        f"Metrics in {claim.function} are collected on the host: {_claims.told(run, claim)}",
        FIX,
        rewrite="device_metrics",
    )
