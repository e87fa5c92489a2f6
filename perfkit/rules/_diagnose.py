"""From a `Run` to a `Diagnosis`: every rule's outcome, the verdict, the tables, the coverage."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from perfkit.analysis.coverage import coverage
from perfkit.analysis.operators import operators_table
from perfkit.analysis.regions import regions_table
from perfkit.analysis.sample_tables import sample_tables, sampling_fact
from perfkit.analysis.source_view import source_view_table
from perfkit.analysis.steps import step_times_table, steps_table
from perfkit.analysis.sync_points import SyncPoint, set_up_syncs, sync_points
from perfkit.analysis.sync_tables import set_up_table, source_table, sync_points_table
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Diagnosis, Outcome
from perfkit.model.run import Run
from perfkit.model.table import Table
from perfkit.rules import _engine
from perfkit.rules._limits import limit_fact, limit_tables
from perfkit.rules._rule_tables import rule_tables
from perfkit.rules._trace_tables import trace_tables
from perfkit.rules._verdict import verdict
from perfkit.rules._what_if_tables import joint_fact, what_if_gaps, what_if_tables


def diagnose(run: Run, judge: Callable[..., Outcome] = _engine.safe_outcome) -> Diagnosis:
    """Everything there is to conclude from a run.

    Args:
        judge: how one rule is run; tests pass `_engine.outcome`, which lets a crash escape.
    """
    outcomes = _engine.outcomes(run, judge)
    tables = _tables(run, outcomes)
    stands_on = coverage(run)
    return Diagnosis(
        run=run.name,
        verdict=verdict(run, outcomes),
        coverage=replace(stands_on, gaps=(*stands_on.gaps, *what_if_gaps(run))),
        outcomes=outcomes,
        tables=tables,
        facts={**_facts(run), **joint_fact(tables), **limit_fact(run), **sampling_fact(run)},
    )


def _tables(run: Run, outcomes: tuple[Outcome, ...]) -> dict[str, Table]:
    points = _points(run)
    found = [finding for outcome in outcomes for finding in outcome.findings]
    found.sort(key=lambda f: -(f.saving.likely_ns if f.saving else -1))
    tables = {
        "sync_points": sync_points_table(points),
        "step_times": step_times_table(run),
        "steps": steps_table(run),
        "regions": regions_table(run, points),
        "set_up_syncs": set_up_table(set_up_syncs(run)),
        "source": source_table(finding.place for finding in found),
        "source_view": source_view_table(points),
        **sample_tables(run),
    }
    with suppress(NotObservable):  # the coverage says so where no step was traced
        tables["operators"] = operators_table(run)
    return {
        **tables,
        **limit_tables(run),
        **trace_tables(run),
        **rule_tables(run),
        **what_if_tables(run, outcomes),
    }


def _points(run: Run) -> tuple[SyncPoint, ...]:
    try:
        return sync_points(run)
    except NotObservable:
        return ()


def _facts(run: Run) -> dict[str, str]:
    facts = {
        "command": shlex.join(run.command) or "unknown",
        "device": run.device,
        "step": run.step_marker,
        "program": run.ended + ("" if run.exit_code is None else f" (exit code {run.exit_code})"),
    }
    if run.launches_per_step is not None:
        facts["launches per step"] = units.count(round(run.launches_per_step, 1))
    if run.trace is not None:
        facts["trace"] = run.trace
    return {**facts, **run.env}
