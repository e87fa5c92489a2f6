"""Savings by replay: what a step gains when what a finding names is gone, where a trace can tell.

None where it cannot: no launches with their device work, the model does not fit, no wait of the
place lies in the replayed steps, or so many places wait that replaying each would take too long.
The rule then keeps its own estimate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from perfkit.analysis.sync_points import SyncPoint
from perfkit.analysis.trace_graph import TraceGraph
from perfkit.analysis.trace_reading import trace_reading
from perfkit.analysis.what_if import Captured, Edit, HostFaster, WithoutWaits
from perfkit.analysis.what_if_rows import (
    BACKGROUND,
    TOGETHER,
    Question,
    launch_rows,
    loader,
    wait_rows,
)
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Outcome, Saving
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.rules._trace_waits import waits_of

WITHOUT_WAIT = "replayed from the trace without the wait (what-if)"
LESS_LOADING = (
    "replayed from the trace with loading 2 and 4 times faster, and in the background (what-if)"
)
FASTER_HOST = (
    "replayed from the trace with the host 1.25 and 2 times faster, and each step as one CUDA graph "
    "(what-if)"
)
LOADING, LAUNCHING = "data loading", "slow launching"
_MOST_VISITS = 300_000
"""Nodes times places: the most frequent places are replayed, as others would take seconds more."""
_METHODS = (WITHOUT_WAIT, LESS_LOADING, FASTER_HOST)


def graph_of(run: Run) -> TraceGraph | None:
    """The graph from which may be predicted, if the run has one."""
    if not isinstance(run.events, Events):
        return None
    try:
        found = trace_reading(run.events).graph
    except NotObservable:
        return None
    return found if found.withheld is None else None


def without_waits(run: Run, points: Sequence[SyncPoint]) -> Saving | None:
    """What a step gains without the waits of one place."""
    found = graph_of(run)
    if found is None or found.visits > _MOST_VISITS:
        return None
    rows = wait_rows(found, waits_of(run, points))
    if not rows:
        return None
    return replace(found.predict((WithoutWaits(rows),)).saving, method=WITHOUT_WAIT)


def less_idle(run: Run, kind: str) -> Saving | None:
    """What a step gains when the host loads data, or launches, faster: `LOADING` or `LAUNCHING`."""
    found = graph_of(run)
    if found is None:
        return None
    if kind == LAUNCHING:
        graphs = tuple(Captured(rows) for rows in launch_rows(found))
        return _range(found, (HostFaster(1.25),), _likely(found, kind), graphs, FASTER_HOST)
    rows = loader(found)
    if kind != LOADING or not rows:
        return None
    low, high = HostFaster(2, rows), HostFaster(BACKGROUND, rows)
    return _range(found, (low,), _likely(found, kind), (high,), LESS_LOADING)


def _likely(found: TraceGraph, kind: str) -> tuple[Edit, ...]:
    return (HostFaster(2),) if kind == LAUNCHING else (HostFaster(4, loader(found)),)


def _range(
    found: TraceGraph,
    low: tuple[Edit, ...],
    likely: tuple[Edit, ...],
    high: tuple[Edit, ...],
    method: str,
) -> Saving:
    """The cautious end of the smallest edit, the bold end of the largest."""
    middle = found.predict(likely).saving
    least = min(found.predict(low).saving.low_ns, middle.likely_ns)
    most = max(found.predict(high).saving.high_ns, middle.high_ns)
    return Saving(least, middle.likely_ns, most, method)


def together(
    run: Run, outcomes: Iterable[Outcome], rule_of: Mapping[SyncPoint, str]
) -> Question | None:
    """One joint edit for all findings whose savings were replayed; None for fewer than two.

    Args:
        rule_of: the rule in whose saving each sync point is counted.
    """
    found = graph_of(run)
    replayed = [
        (outcome.rule, finding)
        for outcome in outcomes
        for finding in outcome.findings
        if finding.saving is not None and finding.saving.method in _METHODS
    ]
    if found is None or len(replayed) < 2:
        return None
    edits: list[Edit] = []
    rules = {rule for rule, finding in replayed if finding.saving.method == WITHOUT_WAIT}  # type: ignore[union-attr]
    if rules:
        wanted = [point for point, rule in rule_of.items() if rule in rules]
        edits.append(WithoutWaits(wait_rows(found, waits_of(run, wanted))))
    kinds = {str(finding.evidence.get("kinds")) for _, finding in replayed}
    for kind in (LOADING, LAUNCHING):
        if kind in kinds:
            edits += _likely(found, kind)
    return Question(TOGETHER, tuple(edits))
