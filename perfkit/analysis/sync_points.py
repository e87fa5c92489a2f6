"""The sync points of a run: evidence joined on ATen op + file:line + phase + direction.

Several detectors may see one sync. Within a step the evidence of one detector is summed and the
*largest* detector counts, so that merging never grows a number. Per step means the mean over the
steps that were watched; what happened during set-up and warm-up is kept apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from perfkit.analysis.live_waits import idle_after
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base.errors import NotObservable
from perfkit.model.events import Events
from perfkit.model.gap import LOST_SYNCS
from perfkit.model.run import Instrument, Run
from perfkit.model.syncs import Direction, Frame, Phase, Sync

_STACK_FRAMES = 6

Key = tuple[str, "Frame | None", Phase, Direction]


@dataclass(frozen=True)
class SyncPoint:
    """All evidence about one op at one line in one phase and direction.

    Attributes:
        per_step: mean count over the watched steps; for set-up, the whole count.
        nbytes, blocked_ns, idle_ns, lost_ns: per step like `per_step`; None where not observable.
            The last two of live evidence come from the light trace (`live_waits`).
        certain: True where at least one detector is sure.
        steps: how many watched steps the mean stands on; 0 for set-up.
    """

    op: str
    kind: str
    direction: Direction
    phase: Phase
    site: Frame | None
    per_step: float
    certain: bool
    caller: Frame | None
    blocked_ns: int | None
    idle_ns: int | None
    lost_ns: int | None
    nbytes: int | None
    fix: str
    seen_by: tuple[str, ...]
    stack: tuple[Frame, ...]
    region: str | None
    steps: int


def sync_points(run: Run) -> tuple[SyncPoint, ...]:
    """The sync points of steady steps, most frequent first.

    Raises:
        NotObservable: no step was watched by a sync detector, what it saw is lost, or nothing was on the
            device that could have been waited for.
    """
    lost = next((gap.why for gap in run.gaps if gap.what == LOST_SYNCS), None)
    if lost is not None:
        raise NotObservable(lost)
    deep, light = _indices(run, "deep"), _indices(run, "light")
    in_deep = _by_key(s for s in run.syncs if s.step in deep)
    in_light = _by_key(s for s in run.syncs if s.step in light)
    if not deep and not in_light and not (run.source == "trace" and run.device == "cuda"):
        if run.source == "trace":
            raise NotObservable("the trace holds no call to a device that could wait")
        raise NotObservable("no complete step was watched by the sync detectors")
    if nothing_placed(run):
        raise NotObservable("no tensor of the watched steps counted as on the device")
    points = [_merge(evidence, len(deep)) for evidence in in_deep.values()]
    # Trace evidence lives in light steps; it adds places that deep steps did not show.
    points += [_merge(found, len(light)) for key, found in in_light.items() if key not in in_deep]
    return tuple(sorted(_with_idle_time(points, run, deep), key=_rank))


def _with_idle_time(points: list[SyncPoint], run: Run, deep: frozenset[int]) -> list[SyncPoint]:
    """What the trace of the light steps tells about the device after each, where it can be joined."""
    if run.source == "trace" or not isinstance(run.events, Events) or not run.events.has_device():
        return points
    reading = trace_reading(run.events)
    known = idle_after(run.syncs, _key, deep, reading.waits, len(reading.steps.windows))
    return [
        replace(point, idle_ns=known[key].idle_ns, lost_ns=known[key].lost_ns)
        if point.idle_ns is None and (key := _key(point)) in known
        else point
        for point in points
    ]


def nothing_placed(run: Run) -> bool:
    """Whether the watched steps had nothing on the device that is pretended or assumed.

    What a detector cannot tell from a CPU tensor it cannot see waited for: that is no clean program.
    """
    seen = any(sync.step is not None for sync in run.syncs)
    settings = ("pretend-cuda", "cpu")
    return (
        run.source == "capture"
        and run.device in settings
        and run.launches_per_step == 0
        and not seen
    )


def watched_steps(run: Run) -> int:
    """How many steps the sync detectors watched from begin to end."""
    return len(_indices(run, "deep")) or len(_indices(run, "light"))


def set_up_syncs(run: Run) -> tuple[SyncPoint, ...]:
    """Syncs of set-up (before the first step) and warm-up: whole counts, not per step."""
    warm_up = _indices(run, "warm-up")
    evidence = _by_key(s for s in run.syncs if s.step is None or s.step in warm_up)
    return tuple(sorted((_merge(found, 0) for found in evidence.values()), key=_rank))


def unfinished_syncs(run: Run) -> int:
    """Records of steps that never ended: counted nowhere, so the coverage must say so."""
    known = {step.index for step in run.steps}
    return sum(s.count for s in run.syncs if s.step is not None and s.step not in known)


def stack_text(stack: tuple[Frame, ...]) -> str:
    """`model.py:88 forward < train.py:20 <module>`, innermost first, down to the program's own start."""
    start = next((i for i, f in enumerate(stack, start=1) if f.function == "<module>"), len(stack))
    stack = stack[:start]
    shown = [f"{_base(f.file)}:{f.line} {f.function}" for f in stack[:_STACK_FRAMES]]
    return " < ".join(shown) + (" < …" if len(stack) > _STACK_FRAMES else "")


def _indices(run: Run, instrument: Instrument) -> frozenset[int]:
    return frozenset(step.index for step in run.steps_measured(instrument))


def _by_key(syncs: Iterable[Sync]) -> dict[Key, list[Sync]]:
    groups: dict[Key, list[Sync]] = defaultdict(list)
    for sync in syncs:
        groups[_key(sync)].append(sync)
    return groups


def _key(sync: Sync | SyncPoint) -> Key:
    site = sync.site
    # One line may be reached under two function names (a lambda, a comprehension): one place.
    place = Frame(site.file, site.line, "") if site else None
    return sync.op, place, sync.phase, sync.direction


def _merge(evidence: list[Sync], steps: int) -> SyncPoint:
    main = _main(evidence)
    per = max(steps, 1)

    def mean(quantity: str) -> int | None:
        total = _total(evidence, quantity)
        if total is None:
            return None
        known = {s.step for s in evidence if getattr(s, quantity) is not None}
        blind = {s.step for s in evidence} - known
        return round(total / max(steps - len(blind), 1))

    return SyncPoint(
        op=main.op,
        kind=main.kind,
        direction=main.direction,
        phase=main.phase,
        site=main.site,
        per_step=(_total(evidence, "count") or 0) / per,
        certain=any(s.certain for s in evidence),
        caller=main.caller or next((s.caller for s in evidence if s.caller), None),
        blocked_ns=mean("blocked_ns"),
        idle_ns=mean("idle_ns"),
        lost_ns=mean("lost_ns"),
        nbytes=mean("nbytes"),
        fix=main.fix or next((s.fix for s in evidence if s.fix), ""),
        seen_by=tuple(sorted({name for s in evidence for name in s.seen_by})),
        stack=main.stack,
        region=main.region,
        steps=steps,
    )


def _main(evidence: list[Sync]) -> Sync:
    """A record of the stack and kind that were seen most."""
    counts: dict[tuple[tuple[Frame, ...], str], int] = defaultdict(int)
    for sync in evidence:
        counts[sync.stack, sync.kind] += sync.count
    return max(evidence, key=lambda s: counts[s.stack, s.kind])


def _total(evidence: list[Sync], quantity: str) -> int | None:
    """Sum over steps of the largest detector's sum; None where no detector knows."""
    sums: dict[tuple[int | None, str], int] = defaultdict(int)
    for sync in evidence:
        value = getattr(sync, quantity)
        if value is not None:
            for detector in sync.seen_by or ("",):
                sums[sync.step, detector] += value
    largest: dict[int | None, int] = {}
    for (step, _), value in sums.items():
        largest[step] = max(largest.get(step, 0), value)
    return sum(largest.values()) if largest else None


def _rank(point: SyncPoint) -> tuple[float, str, int, str, str, str]:
    file, line = (point.site.file, point.site.line) if point.site else ("", 0)
    return -point.per_step, file, line, point.op, point.phase, point.direction


def _base(file: str) -> str:
    return file.replace("\\", "/").rsplit("/", 1)[-1]
