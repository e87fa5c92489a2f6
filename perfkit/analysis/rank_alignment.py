"""The same collective on every rank, and how far the ranks' clocks are apart.

Identity: process group and sequence number where the traces carry them; else process group and
order of launch, moved by the shift at which kinds agree and ends lie closest where a rank began to
record earlier. Point-to-point transfers involve pairs in no common order and are left out.

Clocks: a synchronising collective ends at nearly the same moment on all its ranks, so the median
difference of the ends is the offset between two clocks, and the median deviation from it is the
uncertainty: half of the collectives lie that close. Ranks without a common group are tied
through ranks that share one with each. Drift within a recording counts as uncertainty.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from perfkit.analysis.communication import Exchange
from perfkit.analysis.rank_report import Phases, RankReport

SYNCHRONISING = frozenset({"all_reduce", "all_gather", "reduce_scatter", "all_to_all", "barrier"})
_POINT_TO_POINT = frozenset({"send", "recv"})
_SHIFTS = 64
_PAIRS = 2
_CLEARLY = 3.0
"""A shifted order is believed when its ends lie this many times closer than without a shift."""

Group = tuple[str, tuple[int, ...]]
Entry = tuple[Exchange, Phases]


@dataclass(frozen=True)
class Member:
    """One rank's side of a collective, and what it did since the one before."""

    rank: int
    collective: Exchange
    before: Phases


@dataclass(frozen=True)
class Match:
    """One collective on several ranks, members by rank.

    Attributes:
        number: sequence number, or place in the order.
        first: true where it is its group's first on some rank: `before` then reaches back to the
            beginning of the recording.
    """

    kind: str
    group: str
    number: int
    members: tuple[Member, ...]
    first: bool


@dataclass(frozen=True)
class Identity:
    """All matched collectives in order of time, how they were matched, and how many were not."""

    matches: tuple[Match, ...]
    by: Literal["sequence", "order", "sequence and order"]
    unmatched: int


@dataclass(frozen=True)
class Clock:
    """`offset_ns` is what a rank's clock shows more than the ranks' median clock.

    None where no synchronising collective ties it to the others; the uncertainty is None below two.
    """

    offset_ns: int | None
    uncertainty_ns: int | None


def identity(reports: Mapping[int, RankReport]) -> Identity:
    """The same collectives across ranks; those on one rank only are counted as unmatched."""
    groups: dict[Group, dict[int, list[Entry]]] = defaultdict(dict)
    total = 0
    for rank, report in reports.items():
        for entry in zip(report.collectives, report.before, strict=True):
            total += 1
            if entry[0].kind not in _POINT_TO_POINT:
                group = (entry[0].group, entry[0].ranks)
                groups[group].setdefault(rank, []).append(entry)
    matches: list[Match] = []
    ways = set()
    for group, by_rank in groups.items():
        if len(by_rank) < 2:
            continue
        known = all(c.sequence is not None for found in by_rank.values() for c, _ in found)
        ways.add("sequence" if known else "order")
        numbered = _by_sequence(by_rank) if known else _by_order(by_rank)
        matches += _matches(group[0], by_rank, numbered)
    matches.sort(key=lambda m: median(member.collective.end_ns for member in m.members))
    by: Literal["sequence", "order", "sequence and order"] = "order"
    if "sequence" in ways:
        by = "sequence and order" if len(ways) > 1 else "sequence"
    return Identity(tuple(matches), by, total - sum(len(m.members) for m in matches))


def clocks(ranks: Sequence[int], matches: Sequence[Match]) -> dict[int, Clock]:
    """How each rank's clock differs from the median clock, by the ends of collectives."""
    ends: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for match in matches:
        if match.kind in SYNCHRONISING:
            hub, *others = match.members
            for other in others:
                difference = other.collective.end_ns - hub.collective.end_ns
                ends[hub.rank][other.rank].append(difference)
                ends[other.rank][hub.rank].append(-difference)
    found: dict[int, Clock] = {}
    for root in ranks:
        if root in ends and root not in found:
            island = _tied_to(root, ends)
            centre = round(median(offset for offset, _ in island.values()))
            found |= {r: Clock(offset - centre, near) for r, (offset, near) in island.items()}
    return {rank: found.get(rank, Clock(None, None)) for rank in ranks}


def _tied_to(
    root: int, ends: Mapping[int, Mapping[int, list[int]]]
) -> dict[int, tuple[int, int | None]]:
    """Offset and uncertainty of every rank that collectives tie to the root, nearest first."""
    reached: dict[int, tuple[int, int | None]] = {root: (0, 0)}
    queue = [root]
    for one in queue:
        base, near = reached[one]
        for other, differences in ends[one].items():
            if other not in reached:
                middle = round(median(differences))
                own = round(median(abs(d - middle) for d in differences))
                known = None if near is None or len(differences) < 2 else near + own
                reached[other] = (base + middle, known)
                queue.append(other)
    others = [near for rank, (_, near) in reached.items() if rank != root and near is not None]
    reached[root] = (0, round(median(others)) if others else None)
    return reached


def _by_sequence(by_rank: Mapping[int, list[Entry]]) -> dict[int, list[tuple[int, int]]]:
    """(sequence, how often it was seen before) of each collective of each rank."""
    numbered = {}
    for rank, found in by_rank.items():
        seen: Counter[int] = Counter()
        keys = []
        for one, _ in found:
            number = one.sequence or 0
            keys.append((number, seen[number]))
            seen[number] += 1
        numbered[rank] = keys
    return numbered


def _by_order(by_rank: Mapping[int, list[Entry]]) -> dict[int, list[tuple[int, int]]]:
    reference = max(by_rank, key=lambda rank: (len(by_rank[rank]), -rank))
    base = [one for one, _ in by_rank[reference]]
    numbered = {}
    for rank, found in by_rank.items():
        shift = 0 if rank == reference else _shift(base, [one for one, _ in found])
        numbered[rank] = [(place + shift, 0) for place in range(len(found))]
    return numbered


def _shift(base: Sequence[Exchange], other: Sequence[Exchange]) -> int:
    """How many of the base's collectives went by before the other rank began to record."""
    spreads = {}
    enough = max(_PAIRS, min(len(base), len(other)) // 2)
    for shift in range(-min(_SHIFTS, len(other) // 2), min(_SHIFTS, len(base) // 2) + 1):
        pairs = list(zip(base[max(0, shift) :], other[max(0, -shift) :], strict=False))
        if len(pairs) >= enough and all(a.kind == b.kind for a, b in pairs):
            differences = [b.end_ns - a.end_ns for a, b in pairs]
            middle = median(differences)
            spreads[shift] = median(abs(d - middle) for d in differences)
    if not spreads:
        return 0
    best = min(spreads, key=lambda shift: (spreads[shift], abs(shift)))
    unmoved = spreads.get(0)
    return best if unmoved is None or spreads[best] * _CLEARLY < unmoved else 0


def _matches(
    group: str,
    by_rank: Mapping[int, list[Entry]],
    numbered: Mapping[int, list[tuple[int, int]]],
) -> list[Match]:
    members: dict[tuple[tuple[int, int], str], list[tuple[Member, bool]]] = defaultdict(list)
    for rank in sorted(by_rank):
        for place, (key, (one, before)) in enumerate(
            zip(numbered[rank], by_rank[rank], strict=True)
        ):
            members[key, one.kind].append((Member(rank, one, before), place == 0))
    return [
        Match(kind, group, number, tuple(m for m, _ in found), any(first for _, first in found))
        for ((number, _), kind), found in members.items()
        if len(found) > 1
    ]
