"""Many ranks together: who came late to which collective, why, and what it cost the others.

A synchronising collective moves data only once its last rank has arrived, and all ranks leave
together. So its transfer takes as long as it does on the rank that waited least, and what longer
a rank spends in it, it waits. The late rank is the one whose kernel started last, on clocks aligned
by `rank_alignment`, if by more than their uncertainty. It is compared with the median rank: both
left the collective before at the same moment, so the difference of their arrivals is exactly the sum
of the differences of what they did since. At a recording's first collective there is no such
moment, and a rank may simply have begun its step later: that share is kept apart as `began`.

`lead_ns` is what is won if the late rank alone were on time (the next one would then be last),
`late_by_ns` its distance to the median rank, `spread_ns` to the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import mean, median_low
from typing import Literal

from perfkit.analysis.communication import bus_bandwidth
from perfkit.analysis.rank_alignment import (
    SYNCHRONISING,
    Clock,
    Identity,
    Match,
    Member,
    clocks,
    identity,
)
from perfkit.analysis.rank_report import RankReport
from perfkit.base.errors import NotObservable

_NOISE_NS = 5_000
"""Arrivals this close are no order: kernel starts scatter by some microseconds."""

Phase = Literal["began", "compute", "communication", "copies", "input", "idle"]
PHASES: tuple[Phase, ...] = ("began", "compute", "communication", "copies", "input", "idle")


@dataclass(frozen=True)
class Lateness:
    """The last rank at a collective: how late, and the difference of each phase, ns."""

    rank: int
    late_by_ns: int
    lead_ns: int
    spread_ns: int
    phases: Mapping[Phase, int]

    @property
    def phase(self) -> Phase:
        """The phase that made it late."""
        return max(PHASES, key=lambda phase: self.phases[phase])


@dataclass(frozen=True)
class Joint:
    """One collective over all its ranks.

    Attributes:
        transfer_ns: on the rank that waited least; with ranks missing an upper bound.
        waits: rank to ns; empty where ranks do not wait for each other (broadcast, reduce...).
        late: the last rank; None where they arrived together or it cannot be told.
        bytes, bus_bandwidth: message size and bytes/s over the transfer; None unknown.
        imbalance: of an all-to-all, the most that one rank moves over the mean; None unknown.
        exposed_ns: mean over ranks of the part that nothing hid.
    """

    match: Match
    transfer_ns: int
    exposed_ns: int
    waits: Mapping[int, int] = field(default_factory=dict)
    late: Lateness | None = None
    bytes: int | None = None
    bus_bandwidth: float | None = None
    imbalance: float | None = None

    @property
    def waited_ns(self) -> int:
        return sum(self.waits.values())


@dataclass(frozen=True)
class Straggler:
    """What one rank's lateness adds up to, over the collectives that it reached last.

    Attributes:
        times: at how many collectives; waited_ns: mean wait of the other ranks, summed.
        saving_ns: (low, likely, high) over the recording: `lead_ns` where it did not just begin late;
            the distance to the median rank less what it began later; the distance to the first.
            Each no more than the longest exposed part of the collective.
    """

    rank: int
    times: int
    waited_ns: int
    late_by_ns: int
    saving_ns: tuple[int, int, int]
    phases: Mapping[Phase, int]

    @property
    def phase(self) -> Phase:
        return max(PHASES, key=lambda phase: self.phases[phase])


@dataclass(frozen=True)
class Ranks:
    """The reduction. `stragglers` are ordered by the waiting they caused, the worst first."""

    reports: Mapping[int, RankReport]
    clocks: Mapping[int, Clock]
    identity: Identity
    joint: tuple[Joint, ...]
    stragglers: tuple[Straggler, ...]

    @property
    def steps(self) -> int:
        """Steps per rank; 1 where none were marked."""
        return max(1, min(report.steps for report in self.reports.values()))

    @property
    def missing(self) -> int | None:
        """How many ranks have no trace here; None where the number of ranks is unknown."""
        worlds = [report.world for report in self.reports.values() if report.world]
        return max(0, max(worlds) - len(self.reports)) if worlds else None

    def waiting_ns(self, rank: int) -> int:
        """Exposed time that a rank spent waiting for later ones."""
        return min(self._waits[rank], self.reports[rank].phases.communication_ns)

    @cached_property
    def _waits(self) -> dict[int, int]:
        sums = dict.fromkeys(self.reports, 0)
        for joint in self.joint:
            for member in joint.match.members if joint.waits else ():
                exposed = member.collective.exposed_ns
                sums[member.rank] += min(joint.waits[member.rank], exposed)
        return sums

    def self_check(self) -> None:
        """Raise AssertionError where the parts contradict the whole; tests call it."""
        for joint in self.joint:
            durations = {m.rank: m.collective.duration_ns for m in joint.match.members}
            for rank, wait in joint.waits.items():
                assert wait + joint.transfer_ns == durations[rank]
            if joint.late is not None:
                late = joint.late
                assert sum(late.phases.values()) == late.late_by_ns
                assert 0 <= late.lead_ns <= late.late_by_ns <= late.spread_ns
        for one in self.stragglers:
            assert one.saving_ns[0] <= one.saving_ns[1] <= one.saving_ns[2]


def ranks(reports: Iterable[RankReport]) -> Ranks:
    """The reduction over ranks.

    Raises:
        NotObservable: fewer than two ranks.
    """
    by_rank = _by_rank(reports)
    if len(by_rank) < 2:
        raise NotObservable("one rank alone cannot be late: give the traces of several")
    same = identity(by_rank)
    aligned = clocks(sorted(by_rank), same.matches)
    world = max((r.world or 0 for r in by_rank.values()), default=0) or len(by_rank)
    joint = tuple(_joint(match, aligned, world) for match in same.matches)
    return Ranks(by_rank, aligned, same, joint, _stragglers(joint))


def _by_rank(reports: Iterable[RankReport]) -> dict[int, RankReport]:
    """By rank number; those without one, or with one already taken, get the next free ones."""
    taken: dict[int, RankReport] = {}
    homeless = []
    for report in reports:
        if report.rank is None or report.rank in taken:
            homeless.append(report)
        else:
            taken[report.rank] = report
    free = iter(n for n in range(len(taken) + len(homeless)) if n not in taken)
    for report in homeless:
        taken[next(free)] = report
    return dict(sorted(taken.items()))


def _joint(match: Match, aligned: Mapping[int, Clock], world: int) -> Joint:
    sides = [member.collective for member in match.members]
    transfer = min(side.duration_ns for side in sides)
    sizes = [side.message_bytes for side in sides]
    known = [size for size in sizes if size is not None]
    size = max(known) if len(known) == len(sizes) else None
    members = sides[0].size or (world if not match.group else len(sides))
    waits: dict[int, int] = {}
    late = None
    if match.kind in SYNCHRONISING:
        waits = {m.rank: m.collective.duration_ns - transfer for m in match.members}
        late = _lateness(match, aligned)
    return Joint(
        match=match,
        transfer_ns=transfer,
        exposed_ns=round(mean(side.exposed_ns for side in sides)),
        waits=waits,
        late=late,
        bytes=size,
        bus_bandwidth=bus_bandwidth(match.kind, size, members, transfer),
        imbalance=_imbalance(match),
    )


def _lateness(match: Match, aligned: Mapping[int, Clock]) -> Lateness | None:
    """The last rank, if it was last by more than noise."""
    arrived = {m.rank: m.collective.start_ns - _offset(aligned, m.rank) for m in match.members}
    order = sorted(match.members, key=lambda m: (arrived[m.rank], m.rank))
    last, next_to_last, first = order[-1], order[-2], order[0]
    noise = max((aligned[m.rank].uncertainty_ns or 0 for m in match.members), default=0)
    spread = arrived[last.rank] - arrived[first.rank]
    if spread <= max(_NOISE_NS, 2 * noise):
        return None
    middle_time = median_low(arrived.values())
    middle = next(m for m in order if arrived[m.rank] == middle_time)
    phases = _differences(last, middle)
    late_by = arrived[last.rank] - middle_time
    phases["began"] = late_by - sum(phases.values())
    return Lateness(
        rank=last.rank,
        late_by_ns=late_by,
        lead_ns=arrived[last.rank] - arrived[next_to_last.rank],
        spread_ns=spread,
        phases={phase: phases[phase] for phase in PHASES},
    )


def _differences(late: Member, middle: Member) -> dict[Phase, int]:
    mine, its = late.before, middle.before
    return {
        "compute": mine.compute_ns - its.compute_ns,
        "communication": mine.communication_ns - its.communication_ns,
        "copies": mine.copies_ns - its.copies_ns,
        "input": mine.input_ns - its.input_ns,
        "idle": mine.idle_ns - its.idle_ns,
    }


def _stragglers(joint: Iterable[Joint]) -> tuple[Straggler, ...]:
    by_rank: dict[int, list[tuple[Joint, Lateness]]] = {}
    for one in joint:
        if one.late is not None:
            by_rank.setdefault(one.late.rank, []).append((one, one.late))
    found = [_straggler(rank, mine) for rank, mine in by_rank.items()]
    return tuple(sorted(found, key=lambda s: (-s.waited_ns, s.rank)))


def _straggler(rank: int, mine: list[tuple[Joint, Lateness]]) -> Straggler:
    waited = [mean(w for r, w in one.waits.items() if r != rank) for one, _ in mine]
    savings = [_saving(one, late) for one, late in mine]
    low, likely, high = (sum(column) for column in zip(*savings, strict=True))
    return Straggler(
        rank=rank,
        times=len(mine),
        waited_ns=round(sum(waited)),
        late_by_ns=sum(late.late_by_ns for _, late in mine),
        saving_ns=(low, likely, high),
        phases={phase: sum(late.phases[phase] for _, late in mine) for phase in PHASES},
    )


def _saving(one: Joint, late: Lateness) -> tuple[int, int, int]:
    exposed = (m.collective.exposed_ns for m in one.match.members if m.rank != late.rank)
    limit = max(exposed, default=0)
    own = max(0, late.late_by_ns - max(0, late.phases["began"]))
    lead = 0 if one.match.first else late.lead_ns
    return min(lead, own, limit), min(own, limit), min(late.spread_ns, limit)


def _imbalance(match: Match) -> float | None:
    if match.kind != "all_to_all":
        return None
    moved = [_most(m.collective.sent_bytes, m.collective.received_bytes) for m in match.members]
    known = [size for size in moved if size is not None]
    if len(known) < len(moved) or not sum(known):
        return None
    return max(known) / mean(known)


def _most(one: int | None, other: int | None) -> int | None:
    return max((size for size in (one, other) if size is not None), default=None)


def _offset(aligned: Mapping[int, Clock], rank: int) -> int:
    return aligned[rank].offset_ns or 0
