"""Which rule speaks for a sync, so that no wait is counted twice.

A rule that names the problem behind several lines claims their sync points: its module defines
`PRIORITY` and `claims(points)` beside the rule; one about loops defines `loop_of(point, loops)` and
`LEAST` per step instead, and is given the loops inside the step, innermost first. Points go to the
first rule that wants them, lowest priority number first. `host_wait_in_step` and `blocking_copies`
still list every line; what is claimed they list as part of the finding that claims it, with no saving
of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from perfkit.analysis.loops import Loop, loops_around
from perfkit.analysis.source import source_at
from perfkit.analysis.step_loops import around_steps
from perfkit.analysis.sync_costs import step_limit
from perfkit.analysis.sync_points import SyncPoint, sync_points
from perfkit.base import plugins, units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from perfkit.rules import _places, _replayed
from perfkit.rules._trace_waits import trace_evidence

_ROOM = "perfkit.rules"
_NAMED = 3
PART_OF, LINES = "part_of", "lines"
"""Evidence of a claimed line, and of the finding that claims lines."""


@dataclass(frozen=True)
class Claim:
    """Sync points that are one problem.

    Attributes:
        place: the line that names it: a loop, or the statement itself.
        points: all of them, most frequent first.
        loop: the loop at that line, if it is one.
    """

    place: Frame
    points: tuple[SyncPoint, ...]
    loop: Loop | None = None

    @property
    def per_step(self) -> float:
        return _places.per_step(self.points)

    @property
    def function(self) -> str:
        """Qualified name of what it stands in; "the script" at module level."""
        source = source_at(self.place)
        name = source.function if source else self.place.function
        return name if name and name != "<module>" else "the script"


Claims = Callable[[Sequence[SyncPoint], frozenset[Loop]], Sequence[Claim]]
"""What a rule claims of these points, given the loops around the step."""


def claimed(run: Run, rule: str, *, reads_source: bool = True) -> tuple[Claim, ...]:
    """What a rule speaks for, by its module's name.

    Raises:
        NotApplicable: nothing waits, or no step was watched, as `host_wait_in_step` then says.
        NotObservable: the rule reads source, and none is at hand.
    """
    try:
        points = sync_points(run)
    except NotObservable as reason:
        raise NotApplicable(str(reason)) from reason
    if not points:
        raise NotApplicable("no line waits for the device or copies")
    if reads_source and not any(source_at(point.site) for point in points):
        raise NotObservable("the source of the lines that wait is not at hand")
    return _partition(points, run.step_marker).get(rule, ())


def parts(run: Run) -> dict[SyncPoint, str]:
    """Who speaks for a sync point: `per-expert-loop at model.py:100`; absent where nobody does.

    Raises:
        NotObservable: no step was watched.
    """
    return {
        point: f"{_id(rule)} at {short(claim.place)}"
        for point, (rule, claim) in _owners(run).items()
    }


def loops(run: Run) -> frozenset[Loop]:
    """Every loop that a rule speaks for, those inside it and those it is called from included."""
    try:
        partition = _partition(sync_points(run), run.step_marker)
    except NotObservable:
        return frozenset()
    claims = [claim for taken in partition.values() for claim in taken if claim.loop is not None]
    return frozenset(loop for claim in claims for loop in loops_of(run, claim))


def loops_of(run: Run, claim: Claim) -> tuple[Loop, ...]:
    """The loops inside the step that repeat the points of a claim."""
    outside = outside_loops(run)
    return tuple(loop for p in claim.points for loop in loops_around(p.stack, outside))


def outside_loops(run: Run) -> frozenset[Loop]:
    """The loops around the step, which own nothing that happens in it; none where no step was watched."""
    try:
        return around_steps(sync_points(run), run.step_marker)
    except NotObservable:
        return frozenset()


def owners(run: Run) -> dict[SyncPoint, str]:
    """Id of the rule in whose saving each sync point is counted.

    Raises:
        NotObservable: no step was watched.
    """
    owned = {point: _id(rule) for point, (rule, _) in _owners(run).items()}
    general = ("host-wait-in-step", "blocking-copies")
    return {
        point: owned.get(point) or general[_places.is_copy(point)] for point in sync_points(run)
    }


def by_line(
    points: Sequence[SyncPoint], spoken_for: dict[SyncPoint, str]
) -> list[tuple[list[SyncPoint], str | None]]:
    """Points by place with who speaks for them; what is left over at the same line stands apart."""
    found: list[tuple[list[SyncPoint], str | None]] = []
    for group in _places.by_place(points):
        halves: dict[str | None, list[SyncPoint]] = defaultdict(list)
        for point in group:
            halves[spoken_for.get(point)].append(point)
        found += [(half, owner) for owner, half in halves.items()]
    return found


def by_line_of(
    points: Sequence[SyncPoint], place_of: Callable[[SyncPoint], Frame | None]
) -> list[Claim]:
    """Points by the line that names their problem; those without one left out."""
    found: dict[tuple[str, int], tuple[Frame, list[SyncPoint]]] = {}
    for point in points:
        place = place_of(point)
        if place is not None:
            found.setdefault((place.file, place.line), (place, []))[1].append(point)
    return [Claim(place, tuple(mine)) for place, mine in found.values()]


def by_function(points: Sequence[SyncPoint], wanted: Callable[[SyncPoint], bool]) -> list[Claim]:
    """Wanted points by the function they stand in, named after the line that waits most."""
    found: dict[tuple[str, str], tuple[Frame, list[SyncPoint]]] = {}
    for point in points:
        if point.site is not None and wanted(point):
            source = source_at(point.site)
            function = source.function if source else point.site.function
            found.setdefault((point.site.file, function), (point.site, []))[1].append(point)
    return [Claim(place, tuple(mine)) for place, mine in found.values()]


def finding(run: Run, claim: Claim, title: str, fix: str, **changes: Any) -> Finding:
    """One finding for all lines of a claim, with its title; `changes` are other fields or evidence."""
    points = list(claim.points)
    evidence = {**_places.evidence(points), **trace_evidence(run, points)}
    del evidence["kinds"]  # the rule says what they are together
    evidence[LINES] = lines(points)
    if claim.loop is not None:
        evidence["operators_in_loop"] = operators(run, claim.loop)
    fields = {name: changes.pop(name) for name in ("rewrite", "confidence") if name in changes}
    return Finding(
        title=title,
        place=claim.place,
        code=claim.loop.text if claim.loop else _places.code_at(claim.place),
        evidence={**evidence, **changes},
        saving=saving(run, points),
        fix=fix,
        **{"confidence": _places.confidence(points, run), **fields},
    )


def saving(run: Run, points: list[SyncPoint]) -> Saving:
    """What a step gains without the waits: replayed where it can be, else by the model of costs."""
    return _replayed.without_waits(run, points) or _places.saving(points, step_limit(run))


def told(run: Run, claim: Claim) -> str:
    """`128 of 133 synchronisations and 61 of 62 blocking copies per step (model.py:103, ...)`."""
    parts = []
    for copies, one, many in (
        (False, "synchronisation", "synchronisations"),
        (True, "blocking copy", "blocking copies"),
    ):
        mine, every = (
            round(_places.per_step(p for p in points if _places.is_copy(p) is copies), 1)
            for points in (claim.points, sync_points(run))
        )
        if mine:
            of = f" of {units.count(every)}" if every > mine else ""
            parts.append(f"{units.count(mine)}{of} {one if every == 1 else many}")
    places = list(dict.fromkeys(short(point.site) for point in claim.points))
    rest = len(places) - _NAMED
    more = f" and {rest} more line{'' if rest == 1 else 's'}" if rest > 0 else ""
    return f"{' and '.join(parts)} per step ({', '.join(places[:_NAMED])}{more})"


def operators(run: Run, loop: Loop) -> float | None:
    """Operator calls per step at the loop's own lines; None where nobody counted by line."""
    if not run.costed_steps or not any(row.place for row in run.costs):
        return None
    return sum(row.calls for row in run.costs if loop.holds(row.place)) / run.costed_steps


def lines(points: Sequence[SyncPoint]) -> str:
    """`model.py:103 (64), model.py:104 (64)`: how often per step each line waits, most first."""
    counts: dict[str, float] = defaultdict(float)
    for point in points:
        counts[short(point.site) if point.site else point.op] += point.per_step
    ranked = sorted(counts.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{place} ({units.count(round(count, 1))})" for place, count in ranked)


def short(place: Frame | None) -> str:
    """`model.py:103`."""
    if place is None:
        return "no Python line"
    return f"{place.file.replace(chr(92), '/').rsplit('/', 1)[-1]}:{place.line}"


@lru_cache(maxsize=4)
def _partition(points: tuple[SyncPoint, ...], marker: str) -> dict[str, tuple[Claim, ...]]:
    left, found = list(points), {}
    outside = around_steps(points, marker)
    for name, claims in _claimants():
        taken = tuple(claims(tuple(left), outside))
        owned = {point for claim in taken for point in claim.points}
        left = [point for point in left if point not in owned]
        found[name] = taken
    return found


def _owners(run: Run) -> dict[SyncPoint, tuple[str, Claim]]:
    return {
        point: (rule, claim)
        for rule, claims in _partition(sync_points(run), run.step_marker).items()
        for claim in claims
        for point in claim.points
    }


@lru_cache(maxsize=1)
def _claimants() -> tuple[tuple[str, Claims], ...]:
    modules = [
        (module.PRIORITY, name, module)
        for name, module in plugins.modules(_ROOM).items()
        if hasattr(module, "PRIORITY")
    ]
    return tuple(
        (name, _by_loop(module) if hasattr(module, "loop_of") else _anywhere(module))
        for _, name, module in sorted(modules, key=lambda m: m[:2])
    )


def _anywhere(module: Any) -> Claims:
    return lambda points, _: module.claims(points)


def _by_loop(module: Any) -> Claims:
    """Points by the loop that names their problem; those without one left out."""

    def claims(points: Sequence[SyncPoint], outside: frozenset[Loop]) -> list[Claim]:
        found: dict[Loop, list[SyncPoint]] = defaultdict(list)
        for point in points:
            loop = module.loop_of(point, loops_around(point.stack, outside))
            if loop is not None:
                found[loop].append(point)
        taken = [Claim(loop.place, tuple(mine), loop) for loop, mine in found.items()]
        return [claim for claim in taken if claim.per_step >= module.LEAST]

    return claims


def _id(name: str) -> str:
    return name.replace("_", "-")
