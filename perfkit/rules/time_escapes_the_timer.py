"""The program's own timer stops before the device has done the work.

What it does
    Finds a stretch between two readings of the host's clock in which operators are sent to the device
    and nothing waits for them: t = time.time(), model(batch), time.time() - t. Informative: it changes
    what you believe, not how fast it is.

Why it hurts
    Operators return once they are queued. Such a timer measures how long Python takes to hand out the
    work; the rest shows up in whatever waits next, and is blamed on that.

How the saving is estimated
    There is none: no time is lost by it.

When not to act
    When dispatch is what you want to time, or when the stretch is known to end with a wait that is
    not visible here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from perfkit.analysis.timers import Timer, timers
from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from perfkit.rules import _claims, _places
from perfkit.rules._engine import Looked

FIX = (
    "Read CUDA events after the step (elapsed_time), or synchronise once before the second reading "
    "while you measure"
)


def time_escapes_the_timer(run: Run) -> Looked:
    """One finding per timer that stops too early, without a saving.

    Raises:
        NotApplicable: no line of the program is known, or it uses no device.
    """
    places = frozenset(_places_of(run))
    if not places or run.device == "cpu":
        raise NotApplicable("no line that uses the device is known")
    waits = {frame for sync in run.syncs if sync.direction != "h2d" for frame in sync.stack}
    found = [timer for file in sorted({p.file for p in places}) for timer in timers(file)]
    escaping = [timer for timer in found if _escapes(timer, places, waits)]
    return Looked(f"{len(found)} timers in the source", tuple(_finding(t) for t in escaping))


def _places_of(run: Run) -> Iterator[Frame]:
    """The program's own lines that are known to send work to the device, or to call what does."""
    costed = (row.place for row in run.costs if row.place is not None)
    for place in chain(costed, *(sync.stack for sync in run.syncs)):
        if _places.library_of(place.file) is None:
            yield place


def _escapes(timer: Timer, places: Iterable[Frame], waits: Iterable[Frame]) -> bool:
    if timer.waits or any(timer.holds(place) for place in waits):
        return False
    return any(timer.holds(place) for place in places)


def _finding(timer: Timer) -> Finding:
    return Finding(
        title=f"The timer of lines {timer.first} to {timer.last} in {timer.place.function} stops "
        "before the device is done: it times the dispatch",
        place=timer.place,
        code=_places.code_at(timer.place),
        evidence={"started": _claims.short(Frame(timer.place.file, timer.first, ""))},
        fix=FIX,
        confidence="likely",
    )
