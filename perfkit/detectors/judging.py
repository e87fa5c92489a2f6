"""From a call to a hit: the catalogue's rules asked, and the answer put at its place.

The pretend device and the detector for real GPUs differ in how they see calls and in what they know of
placement; what they conclude from a call is decided here, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from perfkit.catalogue import _index
from perfkit.catalogue._call import Call, Seen
from perfkit.detectors.evidence import Hit
from perfkit.detectors.places import Origin, Place, refine, without_overload


def judged(rules: Iterable[tuple[str, _index.Rule]], call: Call) -> Iterator[tuple[str, Seen]]:
    """(kind, answer) of the rules that say the call synchronises."""
    for kind, rule in rules:
        seen = rule(call)
        if seen is not None:
            yield kind, seen


def hit_of(
    kind: str,
    op: str,
    seen: Seen,
    came: Origin,
    detector: str,
    *,
    place: Place | None = None,
    certain: bool = True,
    blocked_ns: int | None = None,
) -> Hit:
    """A rule's answer as evidence.

    Args:
        op: the operator with overload; the answer may name another.
        place: where it is charged to, if not where the call came from.
        certain: False where placement itself is an assumption.
    """
    direction = seen.direction or _index.page(kind).direction
    refined = refine(kind, direction, came.implied_kind)
    own_fix = seen.fix if refined == kind else None
    return Hit(
        op=seen.op or without_overload(op),
        kind=refined,
        direction=direction,
        place=came.place if place is None else place,
        detector=detector,
        count=seen.count,
        certain=seen.certain and certain,
        nbytes=seen.nbytes,
        blocked_ns=blocked_ns,
        fix=own_fix or _index.page(refined).fix,
        backward=came.in_backward,
    )
