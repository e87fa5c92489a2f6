"""How long the device idled after each live sync, from the trace of the light steps.

The live detectors of deep steps know the line of a sync, the light trace (recorded without stacks)
knows what the device did; they watched different steps. A site is joined with the waits of the trace
on what both know: the operator (a copy also by its direction), and whether it ran in the backward
pass. Of these

- one site alone takes all of them, where both saw equally many per step (half a wait of
  difference is allowed, as steps differ);
- several sites that each waited exactly once in every deep step, always in the same order, take
  them in that order, where every light step has exactly as many.

Everything else is ambiguous and stays unknown.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TypeVar

from perfkit.analysis.sync_waits import WaitCost
from perfkit.model.events import UNKNOWN
from perfkit.model.syncs import Sync

_TOLERANCE = 0.5
_COPY = "aten::copy_"
_ALIKE = {
    "aten::_local_scalar_dense": "aten::item",
    "aten::_to_copy": _COPY,
    "aten::to": _COPY,
}

Site = TypeVar("Site", bound=Hashable)
_Family = tuple[str, str, bool]


@dataclass(frozen=True)
class IdleAfter:
    """Per step, ns: idle time of the device after the waits of a site, and what of it is lost by them."""

    idle_ns: int
    lost_ns: int


def idle_after(
    syncs: Iterable[Sync],
    site_of: Callable[[Sync], Site],
    deep: Collection[int],
    costs: Iterable[WaitCost],
    light_steps: int,
) -> dict[Site, IdleAfter]:
    """The device's idle time by site, for those that can be told apart in the trace.

    Args:
        syncs: live evidence, within a step in the order in which it was first seen.
        deep: indices of the deep steps; other evidence is ignored.
        costs: the waits of the light trace; light_steps: how many steps it holds.
    """
    sites: dict[Site, list[Sync]] = defaultdict(list)
    order: dict[int, dict[Site, None]] = defaultdict(dict)
    for sync in syncs:
        if sync.step is not None and sync.step in deep:
            sites[site_of(sync)].append(sync)
            order[sync.step].setdefault(site_of(sync))
    families: dict[_Family, list[Site]] = defaultdict(list)
    for site, evidence in sites.items():
        families[_family(evidence[0])].append(site)
    traced: dict[_Family, list[WaitCost]] = defaultdict(list)
    for cost in costs:
        if cost.step != UNKNOWN:
            wait = cost.wait
            traced[_key(wait.op, wait.direction, wait.phase)].append(cost)
    found: dict[Site, IdleAfter] = {}
    for family, members in families.items():
        orders = {tuple(site for site in each if site in members) for each in order.values()}
        mine = {site: _counts(sites[site]) for site in members}
        if len(members) > 1 and len(orders) > 1:
            continue
        for site, waits in _joined(mine, deep, traced[family], light_steps).items():
            known = _mean(waits, light_steps)
            if known is not None:
                found[site] = known
    return found


def _family(sync: Sync) -> _Family:
    return _key(sync.op, sync.direction, sync.phase)


def _key(op: str, direction: str, phase: str) -> _Family:
    op = _ALIKE.get(op, op)
    return op, direction if op == _COPY else "", phase == "backward"


def _counts(evidence: Sequence[Sync]) -> dict[int, int]:
    """Waits by step, that of the detector that saw most."""
    sums: Counter[tuple[int, tuple[str, ...]]] = Counter()
    for sync in evidence:
        if sync.step is not None:
            sums[sync.step, sync.seen_by] += sync.count
    most: dict[int, int] = {}
    for (step, _), count in sums.items():
        most[step] = max(most.get(step, 0), count)
    return most


def _joined(
    counts: Mapping[Site, Mapping[int, int]],
    deep: Collection[int],
    costs: list[WaitCost],
    light_steps: int,
) -> dict[Site, list[WaitCost]]:
    """The waits of each site of one family; empty where they cannot be told apart."""
    if not costs or not deep or not light_steps:
        return {}
    if len(counts) == 1:
        ((site, by_step),) = counts.items()
        difference = sum(by_step.values()) / len(deep) - len(costs) / light_steps
        return {site: costs} if abs(difference) <= _TOLERANCE else {}
    by_light: dict[int, list[WaitCost]] = defaultdict(list)
    for cost in sorted(costs, key=lambda cost: cost.wait.start_ns):
        by_light[cost.step].append(cost)
    once = all(by_step.get(step) == 1 for by_step in counts.values() for step in deep)
    as_many = [len(waits) for waits in by_light.values()] == [len(counts)] * light_steps
    if not once or not as_many:
        return {}
    return {site: [waits[i] for waits in by_light.values()] for i, site in enumerate(counts)}


def _mean(costs: list[WaitCost], light_steps: int) -> IdleAfter | None:
    """Per step; None where it is unknown of most of the waits."""
    known = [(cost.idle_ns, cost.lost_ns or 0) for cost in costs if cost.idle_ns is not None]
    if 2 * len(known) <= len(costs):
        return None
    per_step = len(costs) / light_steps
    return IdleAfter(
        idle_ns=round(mean(idle for idle, _ in known) * per_step),
        lost_ns=round(mean(lost for _, lost in known) * per_step),
    )
