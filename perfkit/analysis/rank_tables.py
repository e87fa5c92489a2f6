"""`ranks` as tables: one row per rank, per collective, and per rank that came late."""

from __future__ import annotations

from statistics import mean

from perfkit.analysis.ranks import PHASES, Joint, Ranks
from perfkit.model.table import Column, Table

ROWS = 200
"""Collectives in the table: those with most waiting, in order of time."""


def ranks_table(found: Ranks) -> Table:
    """Where each rank's recorded time went: compute to idle sum to `window_ns`.

    `waiting_ns` and `transfer_ns` divide the exposed communication; `caused_ns` is the mean time
    for which the others waited for this rank, `late` at how many collectives it was the last.
    """
    columns = (
        Column("rank"),
        Column("trace"),
        Column("steps"),
        Column("window_ns", "ns"),
        Column("compute_ns", "ns"),
        Column("transfer_ns", "ns"),
        Column("waiting_ns", "ns"),
        Column("copies_ns", "ns"),
        Column("input_ns", "ns"),
        Column("idle_ns", "ns"),
        Column("late"),
        Column("caused_ns", "ns"),
        Column("clock_offset_ns", "ns"),
        Column("clock_uncertainty_ns", "ns"),
    )
    late = {one.rank: one for one in found.stragglers}
    rows = []
    for rank, report in found.reports.items():
        phases, waiting = report.phases, found.waiting_ns(rank)
        mine = late.get(rank)
        rows.append(
            (
                rank,
                report.name,
                report.steps,
                phases.total_ns,
                phases.compute_ns,
                phases.communication_ns - waiting,
                waiting,
                phases.copies_ns,
                phases.input_ns,
                phases.idle_ns,
                mine.times if mine else 0,
                mine.waited_ns if mine else 0,
                found.clocks[rank].offset_ns,
                found.clocks[rank].uncertainty_ns,
            )
        )
    return Table(columns, tuple(rows))


def rank_collectives_table(found: Ranks) -> Table:
    """The collectives with most waiting, in order of time; None in `late_rank`: nobody, or unknown."""
    columns = (
        Column("kind"),
        Column("group"),
        Column("number"),
        Column("ranks"),
        Column("bytes", "bytes"),
        Column("transfer_ns", "ns"),
        Column("bus_bandwidth", "bytes/s"),
        Column("imbalance", "ratio"),
        Column("exposed_ns", "ns"),
        Column("mean_wait_ns", "ns"),
        Column("longest_wait_ns", "ns"),
        Column("late_rank"),
        Column("late_by_ns", "ns"),
        Column("lead_ns", "ns"),
        Column("phase"),
    )
    worst = sorted(range(len(found.joint)), key=lambda i: (-found.joint[i].waited_ns, i))[:ROWS]
    return Table(columns, tuple(_collective(found.joint[i]) for i in sorted(worst)))


def late_ranks_table(found: Ranks) -> Table:
    """Each rank that was last somewhere: how late in all, and the difference of each phase."""
    columns = (
        Column("rank"),
        Column("times"),
        Column("caused_ns", "ns"),
        Column("late_by_ns", "ns"),
        *(Column(f"{phase}_ns", "ns") for phase in PHASES),
        Column("phase"),
    )
    rows = tuple(
        (
            one.rank,
            one.times,
            one.waited_ns,
            one.late_by_ns,
            *(one.phases[phase] for phase in PHASES),
            one.phase,
        )
        for one in found.stragglers
    )
    return Table(columns, rows)


def _collective(
    joint: Joint,
) -> tuple[str | int | float | None, ...]:
    late, waits = joint.late, joint.waits.values()
    return (
        joint.match.kind,
        joint.match.group or None,
        joint.match.number,
        len(joint.match.members),
        joint.bytes,
        joint.transfer_ns,
        joint.bus_bandwidth,
        joint.imbalance,
        joint.exposed_ns,
        round(mean(waits)) if waits else None,
        max(waits) if waits else None,
        late.rank if late else None,
        late.late_by_ns if late else None,
        late.lead_ns if late else None,
        late.phase if late else None,
    )
