"""Critical path and what-if as tables of a diagnosis, and what has to be said about them."""

from __future__ import annotations

from collections.abc import Iterable

from perfkit.analysis.critical_path import critical_path_table
from perfkit.analysis.path_segments import segments, segments_table
from perfkit.analysis.sync_points import SyncPoint
from perfkit.analysis.trace_graph import TraceGraph, replay_table
from perfkit.analysis.trace_reading import trace_reading
from perfkit.analysis.what_if_rows import TOGETHER, questions, what_if_rows
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Outcome
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.model.table import Table
from perfkit.rules import _claims, _replayed

_SEGMENTS = 20


def what_if_tables(run: Run, outcomes: Iterable[Outcome]) -> dict[str, Table]:
    """Tables by name; none without launches and their device work, no predictions where withheld."""
    found = _graph(run)
    if found is None:
        return {}
    path = found.path
    longest = segments(path, _SEGMENTS)
    tables = {
        "critical_path": critical_path_table(path),
        "path_segments": segments_table(longest, path.graph.steps, path.length_ns),
        "replay": replay_table(found),
    }
    if found.withheld is None:
        assert isinstance(run.events, Events)
        joint = _replayed.together(run, outcomes, _rule_of(run))
        asked = questions(found, trace_reading(run.events).waits)
        tables["what_if"] = what_if_rows(found, (*asked, *([joint] if joint else [])))
    return tables


def what_if_gaps(run: Run) -> tuple[str, ...]:
    """What the reader must know of the replay: that nothing is predicted, or on how many steps."""
    if not isinstance(run.events, Events) or not len(trace_reading(run.events).work):
        return ()
    try:
        found = trace_reading(run.events).graph
    except NotObservable as reason:
        return (f"what-if: {reason}",)
    if found.withheld is not None:
        return (f"what-if: {found.withheld}",)
    if found.graph.steps < found.of_steps:
        return (f"what-if: critical path and replays stand on {found.taken()} of typical length",)
    return ()


def joint_fact(tables: dict[str, Table]) -> dict[str, str]:
    """The step without all findings, which is no sum of their savings."""
    rows = tables["what_if"].records() if "what_if" in tables else []
    for row in rows:
        if row["edit"] == TOGETHER:
            now, low, likely, high = (
                units.ns(float(row[f"{name}_ns"] or 0))
                for name in ("before", "low", "likely", "high")
            )
            return {TOGETHER: f"{now} → {likely} per step ({low} to {high}), replayed"}
    return {}


def _graph(run: Run) -> TraceGraph | None:
    if not isinstance(run.events, Events):
        return None
    try:
        return trace_reading(run.events).graph
    except NotObservable:
        return None


def _rule_of(run: Run) -> dict[SyncPoint, str]:
    try:
        return _claims.owners(run)
    except NotObservable:
        return {}
