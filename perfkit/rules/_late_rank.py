"""The conclusion over many ranks, laid over the diagnosis of one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from statistics import median

from perfkit.analysis.rank_tables import late_ranks_table, rank_collectives_table, ranks_table
from perfkit.analysis.ranks import PHASES, Phase, Ranks, Straggler
from perfkit.base import units
from perfkit.io._repairs import ENDS_EARLY
from perfkit.model.diagnosis import Diagnosis, Finding, Outcome, Saving, Verdict
from perfkit.rules._uneven import uneven_outcome, uneven_tables

RULE = "late-rank"
_TOGETHER = "all findings together"
_WORTH = 0.01
"""Share of a step below which waiting for late ranks is not worth a finding."""

_MADE: dict[Phase, str] = {
    "began": "it began its recorded step later",
    "compute": "it computed longer",
    "communication": "it spent longer in collectives of other groups",
    "copies": "it copied longer",
    "input": "it waited longer for data",
    "idle": "its device waited longer for the host",
}
_FIXES: dict[Phase, str] = {
    "began": "Record several steps: what came before the first one is not in the traces",
    "compute": "Balance the work: compare batch, table and sequence sizes of the ranks, then clocks",
    "communication": "Look at the other process groups first: this rank was held up there",
    "copies": "Compare the sizes of what the ranks copy, and pin memory on all of them",
    "input": "Give this rank's loader more workers, or even out sample sizes between ranks",
    "idle": "Look at this rank's host: CPU pinning, other processes, Python work between launches",
}


def with_ranks(
    base: Diagnosis,
    found: Ranks,
    gaps: Iterable[str] = (),
    name: str = "",
    shown: int | None = None,
) -> Diagnosis:
    """The diagnosis of one rank with the verdict, finding and tables of all of them.

    Args:
        base: usually of the worst straggler, whose page is the one to read on.
        gaps: traces that could not be used, and why.
        name: of the whole; that of `base` where empty.
        shown: which rank `base` is, so that whatever is of it alone can say so.
    """
    outcome = _outcome(found)
    base = base if shown is None else _labelled(base, found, shown)
    tables = {
        "ranks": ranks_table(found),
        "rank_collectives": rank_collectives_table(found),
        "late_ranks": late_ranks_table(found),
        **uneven_tables(found),
    }
    told = tuple(dict.fromkeys((*gaps, *_gaps(found))))
    return replace(
        base,
        run=name or base.run,
        verdict=_verdict(base.verdict, found, outcome),
        coverage=replace(base.coverage, gaps=(*told, *base.coverage.gaps)),
        outcomes=(outcome, *_over_ranks(base.outcomes, found)),
        tables={**base.tables, **tables},
        facts={**base.facts, **_facts(found)},
    )


def _labelled(base: Diagnosis, found: Ranks, shown: int) -> Diagnosis:
    """The diagnosis of one rank, marked as such: its findings, what it stands on, what it leaves out."""
    outcomes = tuple(
        replace(
            outcome,
            findings=tuple(
                replace(finding, evidence={**finding.evidence, "on_rank": shown})
                for finding in outcome.findings
            ),
        )
        for outcome in base.outcomes
    )
    alone = (
        f"detail of the other ranks: steps, waits, idle time and kernels are told of rank {shown} "
        f"alone ({found.reports[shown].name})"
    )
    coverage = replace(
        base.coverage,
        basis=f"{len(found.reports)} ranks; in detail rank {shown}: {base.coverage.basis}",
        gaps=(alone, *base.coverage.gaps),
    )
    facts = {**base.facts, "rank in detail": str(shown)}
    if _TOGETHER in facts:
        facts[_TOGETHER] = f"rank {shown}: {facts[_TOGETHER]}"
    return replace(base, outcomes=outcomes, coverage=coverage, facts=facts)


def _over_ranks(own: Iterable[Outcome], found: Ranks) -> list[Outcome]:
    """The outcomes of one rank, with those that all ranks together tell better replaced."""
    uneven = uneven_outcome(found)
    return [uneven if uneven and uneven.rule == one.rule else one for one in own]


def _outcome(found: Ranks) -> Outcome:
    judged = [one for one in found.joint if one.waits]
    if not judged:
        why = "no collective that makes ranks wait for each other was seen on two of them"
        return Outcome(RULE, "not-observable", why)
    at = f"{len(judged)} collectives on {len(found.reports)} ranks, matched by {found.identity.by}"
    findings = tuple(_finding(found, one) for one in found.stragglers if _matters(found, one))
    return Outcome(RULE, "found" if findings else "clear", at, findings)


def _matters(found: Ranks, one: Straggler) -> bool:
    return one.waited_ns / found.steps >= _WORTH * _step_ns(found)


def _finding(found: Ranks, one: Straggler) -> Finding:
    low, likely, high = (value // found.steps for value in one.saving_ns)
    judged = sum(1 for joint in found.joint if joint.waits)
    return Finding(
        title=f"Rank {one.rank} comes last to {one.times} of {judged} collectives: "
        f"{_reasons(found, one)}",
        evidence={
            "kinds": "late rank",
            "rank": one.rank,
            "collectives": one.times,
            "late_by_ns_per_step": one.late_by_ns // found.steps,
            "others_wait_ns_per_step": one.waited_ns // found.steps,
            **{f"{phase}_ns_per_step": one.phases[phase] // found.steps for phase in PHASES},
        },
        saving=Saving(low, likely, high, "arrivals at collectives, on aligned clocks"),
        fix=_FIXES[_own_phase(one)],
        confidence="likely",
    )


def _own_phase(one: Straggler) -> Phase:
    """What to act on: the worst phase inside the recording, where there is any to speak of."""
    inside = max((p for p in PHASES if p != "began"), key=lambda phase: one.phases[phase])
    return inside if one.phases[inside] >= 0.1 * one.late_by_ns else one.phase


def _reasons(found: Ranks, one: Straggler) -> str:
    """The phases that made it late, the worst first, those of a tenth or more."""
    parts = sorted(PHASES, key=lambda phase: -one.phases[phase])
    told = [p for p in parts if one.phases[p] >= 0.1 * one.late_by_ns][:2]
    reasons = [f"{_MADE[p]} ({units.ns(one.phases[p] / found.steps)})" for p in told]
    return " and ".join(reasons) or "no single phase stands out"


def _verdict(own: Verdict, found: Ranks, outcome: Outcome) -> Verdict:
    step = _step_ns(found)
    waiting = median(found.waiting_ns(rank) for rank in found.reports) / found.steps
    what = (
        f"{len(found.reports)} ranks; a step takes {units.ns(step)}, of which the median rank waits "
        f"{units.ns(waiting)} ({waiting / step:.0%}) for later ranks."
    )
    if outcome.state == "not-observable":
        return replace(own, what=f"{_cut_off(found)}{len(found.reports)} ranks. {own.what}")
    what = _cut_off(found) + what
    if not outcome.findings:
        return replace(own, what=what, why=f"No rank holds up the others. {own.why}")
    worst = next(one for one in found.stragglers if _matters(found, one))
    late_by = units.ns(worst.late_by_ns / found.steps)
    why = (
        f"Rank {worst.rank} is last, {late_by} per step behind the median rank: "
        f"{_reasons(found, worst)}."
    )
    return Verdict(what, why, f"{outcome.findings[0].fix}.")


def _cut_off(found: Ranks) -> str:
    """Which ranks' traces are not all there, where some are not."""
    cut = [
        str(rank)
        for rank, report in found.reports.items()
        if any(gap.partition(": ")[0] in ENDS_EARLY for gap in report.gaps)
    ]
    if not cut:
        return ""
    named = f"rank {cut[0]}" if len(cut) == 1 else f"{len(cut)} ranks ({', '.join(cut[:8])})"
    return f"The trace of {named} is cut off: numbers are of what was read. "


def _step_ns(found: Ranks) -> float:
    return max(1.0, median(r.phases.total_ns / found.steps for r in found.reports.values()))


def _gaps(found: Ranks) -> list[str]:
    gaps = [f"{gap}" for report in found.reports.values() for gap in report.gaps]
    if found.missing:
        gaps.append(f"{found.missing} ranks: no trace of them was given")
    if found.identity.unmatched:
        why = "they are point-to-point or were recorded on one rank only"
        gaps.append(f"{found.identity.unmatched} communication kernels: {why}")
    if found.identity.by != "sequence":
        gaps.append("collective identity: without sequence numbers, matched by order")
    untied = [str(rank) for rank, clock in found.clocks.items() if clock.offset_ns is None]
    if untied:
        gaps.append(f"clock of rank {', '.join(untied)}: no common collective to align it by")
    return gaps


def _facts(found: Ranks) -> dict[str, str]:
    known = [c.uncertainty_ns for c in found.clocks.values() if c.uncertainty_ns is not None]
    offsets = [abs(c.offset_ns) for c in found.clocks.values() if c.offset_ns is not None]
    facts = {"ranks": str(len(found.reports)), "collectives matched by": found.identity.by}
    if offsets:
        near = f"± {units.ns(max(known))}" if known else "uncertainty unknown"
        facts["rank clocks"] = f"up to {units.ns(max(offsets))} apart, {near}"
    return facts
