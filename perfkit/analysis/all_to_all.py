"""All-to-alls in which one rank moves more than the others, and what follows from it.

Over many ranks: a rank moves the larger of what it sends and receives. All leave together, so the
collective takes as long as its busiest rank needs; evened out, each would move the mean. The rank with
more tokens then computes longer and comes last to the next collective of its group: what the others
wait there is told beside it (`caused_ns`), and belongs to late ranks.

Of one rank alone: how its own sends are split over the others, and what it receives over what it sends.
Ranks of a mixture of experts send alike, so both hint at the ranks that get more than their share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from perfkit.analysis.communication import Exchange, communication
from perfkit.analysis.rank_alignment import Match
from perfkit.analysis.ranks import Joint, Ranks
from perfkit.base.errors import NotObservable
from perfkit.model.events import Events
from perfkit.model.table import Column, Table

KIND = "all_to_all"


@dataclass(frozen=True)
class Uneven:
    """One all-to-all over its ranks.

    Attributes:
        moved: bytes by rank. transfer_ns: on the rank that waited least.
        exposed_ns: the longest part of it, over the ranks, that no computation hid.
        caused_ns: mean wait of the others at the group's next collective, where the rank that moved
            most came last to it; else 0.
    """

    match: Match
    moved: dict[int, int]
    transfer_ns: int
    exposed_ns: int
    caused_ns: int = 0

    @property
    def heaviest(self) -> int:
        return max(self.moved, key=lambda rank: (self.moved[rank], -rank))

    @property
    def ratio(self) -> float:
        """The most that one rank moves over the mean."""
        return max(self.moved.values()) / mean(self.moved.values())

    @property
    def excess_ns(self) -> int:
        """What evening out would take off the transfer, were it bound by bandwidth; exposed time only."""
        return round(min(self.transfer_ns, self.exposed_ns) * (1 - 1 / self.ratio))

    def self_check(self) -> None:
        """Raise AssertionError where the parts contradict each other; tests call it."""
        assert 1 <= self.ratio <= len(self.moved)
        assert 0 <= self.excess_ns <= self.transfer_ns


@dataclass(frozen=True)
class OwnSplits:
    """What one rank's trace tells of its all-to-alls.

    Attributes:
        calls: those with uneven sizes told.
        to_peers: elements sent to each rank of the group, all calls together.
    """

    calls: int
    to_peers: tuple[int, ...]

    @property
    def most(self) -> int:
        """Which rank of the group gets most."""
        return max(range(len(self.to_peers)), key=lambda peer: self.to_peers[peer])

    @property
    def ratio(self) -> float:
        return max(self.to_peers) / mean(self.to_peers)


def uneven_all_to_alls(found: Ranks) -> tuple[Uneven, ...]:
    """All all-to-alls whose sizes are known on every rank, in order of time.

    Raises:
        NotObservable: there is none.
    """
    judged = []
    for index, joint in enumerate(found.joint):
        moved = _moved(joint)
        if moved:
            judged.append(_uneven(joint, moved, found.joint[index + 1 :]))
    if not judged:
        raise NotObservable("no all-to-all with known sizes was seen on two ranks")
    return tuple(judged)


def own_splits(events: Events) -> OwnSplits:
    """The largest group's splits of one rank.

    Raises:
        NotObservable: no all-to-all was recorded, or none with uneven sizes.
    """
    calls = [one for one in communication(events, {}).collectives if one.kind == KIND]
    if not calls:
        raise NotObservable("the trace holds no all-to-all")
    told = [one for one in calls if sum(one.in_splits)]
    if not told:
        raise NotObservable("the trace does not tell how all-to-alls are split over the ranks")
    widest = max(len(one.in_splits) for one in told)
    same = [one for one in told if len(one.in_splits) == widest]
    return OwnSplits(len(same), _sums(same))


def uneven_table(found: Sequence[Uneven]) -> Table:
    """A row per all-to-all, the least even first."""
    columns = (
        Column("group"),
        Column("number"),
        Column("heaviest_rank"),
        Column("most_bytes", "bytes"),
        Column("mean_bytes", "bytes"),
        Column("ratio", "ratio"),
        Column("transfer_ns", "ns"),
        Column("excess_ns", "ns"),
        Column("caused_ns", "ns"),
    )
    rows = tuple(
        (
            one.match.group or None,
            one.match.number,
            one.heaviest,
            max(one.moved.values()),
            round(mean(one.moved.values())),
            one.ratio,
            one.transfer_ns,
            one.excess_ns,
            one.caused_ns,
        )
        for one in sorted(found, key=lambda one: -one.ratio)
    )
    return Table(columns, rows)


def _sums(calls: Sequence[Exchange]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*(one.in_splits for one in calls), strict=True)))


def _moved(joint: Joint) -> dict[int, int]:
    """Bytes by rank; empty where it is no all-to-all or any size is unknown."""
    if joint.match.kind != KIND:
        return {}
    found = {}
    for member in joint.match.members:
        one = member.collective
        sizes = [size for size in (one.sent_bytes, one.received_bytes) if size is not None]
        if not sizes:
            return {}
        found[member.rank] = max(sizes)
    return found if sum(found.values()) else {}


def _uneven(joint: Joint, moved: dict[int, int], later: Sequence[Joint]) -> Uneven:
    exposed = max(member.collective.exposed_ns for member in joint.match.members)
    plain = Uneven(joint.match, moved, joint.transfer_ns, exposed)
    following = next((one for one in later if one.match.group == joint.match.group), None)
    if following is None or following.late is None or following.late.rank != plain.heaviest:
        return plain
    others = [wait for rank, wait in following.waits.items() if rank != plain.heaviest]
    caused = round(mean(others)) if others else 0
    return Uneven(joint.match, moved, joint.transfer_ns, exposed, caused)
