"""From the log of a step's storages to what was alive at its peak. Knows nothing of torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from perfkit.model.memory import Category, Held, StepMemory
from perfkit.model.syncs import Frame, Phase

_Key = tuple[Category, "str | None", "Frame | None", "str | None"]
BORN, DIED, SAVED, FREED = range(4)
_ROWS = 100


@dataclass(frozen=True)
class Made:
    """Where something was made or saved; `place` is turned into a frame when everything is over."""

    op: str
    module: str | None = None
    place: Any = None
    phase: Phase | None = None


@dataclass
class Log:
    """Storages by number, in the order of their birth, and what happened to them.

    Attributes:
        sizes: bytes of each.
        made: how each came to be; None of what came from elsewhere.
        events: (what, number), in order; `saved_by` is where each was first saved for backward.
        roles: of parameters, gradients and optimizer states.
        before: numbers below it were there when the step began.
    """

    sizes: list[int] = field(default_factory=list)
    made: list[Made | None] = field(default_factory=list)
    events: list[tuple[int, int]] = field(default_factory=list)
    saved_by: dict[int, Made] = field(default_factory=dict)
    roles: dict[int, Category] = field(default_factory=dict)
    before: int = 0

    def born(self, nbytes: int, made: Made | None) -> int:
        """A storage appeared; returns its number."""
        number = len(self.sizes)
        self.sizes.append(nbytes)
        self.made.append(made)
        self.events.append((BORN, number))
        return number


@dataclass(frozen=True)
class Gradients:
    """Numbers of gradient storages: alive in a forward, there when an optimizer ran, zeroed in place.

    `dropped_at` is where the first of those alive in a forward was let go.
    """

    in_forward: frozenset[int] = frozenset()
    at_step: frozenset[int] | None = None
    zeroed: Mapping[int, Made] = field(default_factory=dict)
    dropped_at: Any = None


def step_memory(
    log: Log, gradients: Gradients, resolve: Callable[[Any], Frame | None]
) -> StepMemory | None:
    """What the log tells; None where nothing was alive."""
    at, alive, saved = _peak(log)
    if not alive:
        return None
    cause = next((log.made[n] for what, n in log.events[at::-1] if what == BORN), None)
    trained = any(made is not None and made.phase == "backward" for made in log.made)
    _, _, saved_at_end = _state(log, len(log.events))
    left = [n for n in saved_at_end if n not in log.roles and log.made[n] is not None]
    mine: dict[int, Made] = {n: m for n, m in gradients.zeroed.items() if _is(log, n, "gradients")}
    return StepMemory(
        peak_bytes=sum(log.sizes[number] for number in alive),
        phase=cause.phase if cause else None,
        op=cause.op if cause else "",
        module=cause.module if cause else None,
        place=resolve(cause.place) if cause else None,
        held=_told(log, alive, saved, resolve),
        left=_told(log, left, frozenset(left), resolve),
        zeroed=_grouped(((n, "gradients", made) for n, made in mine.items()), log, resolve),
        stale_bytes=_stale(log, gradients, trained),
        dropped_at=resolve(gradients.dropped_at),
        trained=trained,
    )


def _peak(log: Log) -> tuple[int, list[int], frozenset[int]]:
    """Index of the event at which most is alive, and what is alive and saved then."""
    signs = {BORN: 1, DIED: -1}
    curve = list(accumulate(signs.get(what, 0) * log.sizes[n] for what, n in log.events))
    if not curve:
        return 0, [], frozenset()
    at = curve.index(max(curve))
    while at + 1 < len(curve) and log.events[at + 1][0] == SAVED:  # results are saved once made
        at += 1
    return _state(log, at + 1)


def _state(log: Log, count: int) -> tuple[int, list[int], frozenset[int]]:
    alive: dict[int, None] = {}
    saved: defaultdict[int, int] = defaultdict(int)
    for what, number in log.events[:count]:
        if what == BORN:
            alive[number] = None
        elif what == DIED:
            alive.pop(number, None)
        else:
            saved[number] += 1 if what == SAVED else -1
    return count - 1, list(alive), frozenset(n for n, times in saved.items() if times > 0)


def _told(
    log: Log,
    numbers: Iterable[int],
    saved: frozenset[int],
    resolve: Callable[[Any], Frame | None],
) -> tuple[Held, ...]:
    def row(number: int) -> tuple[int, Category, Made | None]:
        role, made = log.roles.get(number), log.made[number]
        if role is not None:
            return number, role, None
        if made is None:
            return number, "kept from before" if number < log.before else "inputs", None
        if number in saved:
            return number, "saved for backward", log.saved_by[number]
        return number, "temporaries", made

    return _grouped(map(row, numbers), log, resolve)


def _grouped(
    rows: Iterable[tuple[int, Category, Made | None]],
    log: Log,
    resolve: Callable[[Any], Frame | None],
) -> tuple[Held, ...]:
    groups: defaultdict[_Key, list[int]] = defaultdict(list)
    for number, category, made in rows:
        place = resolve(made.place) if made is not None else None
        maker = log.made[number] if category == "saved for backward" else None
        key = (category, made.module if made else None, place, maker.module if maker else None)
        groups[key].append(number)
    found = [_held(log, key, numbers) for key, numbers in groups.items()]
    found.sort(key=lambda each: -each.nbytes)
    rest: defaultdict[Category, list[Held]] = defaultdict(list)
    for each in found[_ROWS:]:
        rest[each.category].append(each)
    others = [
        Held(category, sum(h.nbytes for h in some), sum(h.tensors for h in some))
        for category, some in rest.items()
    ]
    return tuple(sorted((*found[:_ROWS], *others), key=lambda each: -each.nbytes))


def _held(log: Log, key: _Key, numbers: list[int]) -> Held:
    category, module, place, maker = key
    made = log.made[max(numbers, key=lambda number: log.sizes[number])]
    return Held(
        category,
        sum(log.sizes[number] for number in numbers),
        len(numbers),
        made.op if made is not None else "",
        module,
        place,
        maker,
    )


def _stale(log: Log, gradients: Gradients, trained: bool) -> int:
    """A gradient that the optimizer then read was added to, or zeroed, which is told apart."""
    unread = gradients.in_forward - (gradients.at_step or frozenset())
    if trained:  # what lives on may be accumulated, or another optimizer's
        unread &= {number for what, number in log.events if what == DIED}
    return sum(log.sizes[number] for number in unread)


def _is(log: Log, number: int, role: Category) -> bool:
    return log.roles.get(number) == role
