"""Which loops lie around the step, and so repeat steps and not what one step does.

A loop around the step holds the place where a step ends, so every wait of the step has it in its
stack. Three things tell where that place is, innermost first in each stack:

1. a loop that learns in its body, or is named after steps and shared by all stacks; of the latter
   none that turns more than once per step, unless it feeds the steps (`for row in batch` does not);
2. the function that makes the step's mark: the forward of the module, or the caller of `step()`;
3. where no stack has either: a wait that comes exactly once per step, since no loop around that one
   can turn more often. What all stacks share with it is around.

Everything further out is around. Stacks that do not reach the program's own start count as unshared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from perfkit.analysis.loops import Loop, loops_at
from perfkit.analysis.source import functions_of, lines_of
from perfkit.analysis.sync_points import SyncPoint
from perfkit.model.syncs import Frame

_FEEDS = re.compile(r"loader|epoch|dataset|\bbatches\b", re.IGNORECASE)
"""What a step is fed from: such a loop may turn several times per step, where gradients add up."""
_FORWARD, _REGION = "forward of ", "region "
_CALLS = {"optimizer.step": r"\.step\(", "perfkit.step()": r"\bstep\("}


@lru_cache(maxsize=8)
def around_steps(points: tuple[SyncPoint, ...], marker: str) -> frozenset[Loop]:
    """The loops around the step, that of the steps itself included; empty where nothing tells.

    Args:
        points: the sync points of the step.
        marker: what a step is, as `Run.step_marker` says.
    """
    stacks = list(dict.fromkeys(point.stack for point in points))
    shared = _shared(stacks)
    named = frozenset(loop for loop in shared if loop.goes_through_steps) - _turning(points)
    mark = _Mark(marker)
    found: set[Loop] = set()
    known = False
    for stack in stacks:
        outer = _further_out(stack, named, mark)
        known = known or outer is not None
        found.update(outer or ())
    if not known and any(p.per_step == 1 and _is_whole(p.stack) for p in points):
        return shared
    return frozenset(found)


def _further_out(stack: Sequence[Frame], named: frozenset[Loop], mark: _Mark) -> set[Loop] | None:
    """The loops of one stack from where its step ends; None where that is not in it."""
    found: set[Loop] | None = None
    for frame in stack:
        for loop in loops_at(frame):
            if found is None and (loop.learns or loop in named):
                found = set()
            if found is not None:
                found.add(loop)
        if found is None and mark.is_made_by(frame):
            found = set()
    return found


def _shared(stacks: Iterable[Sequence[Frame]]) -> frozenset[Loop]:
    """The loops that all whole stacks have in common."""
    loops = [{loop for f in stack for loop in loops_at(f)} for stack in stacks if _is_whole(stack)]
    return frozenset(set.intersection(*loops)) if loops else frozenset()


def _turning(points: Iterable[SyncPoint]) -> frozenset[Loop]:
    """Loops that turn more than once per step: all waits that lie in no loop further in come more often."""
    least: dict[Loop, float] = {}
    for point in points:
        inner = next((loop for frame in point.stack for loop in loops_at(frame)), None)
        if inner is not None:
            least[inner] = min(least.get(inner, point.per_step), point.per_step)
    return frozenset(
        loop for loop, count in least.items() if count > 1 and not _FEEDS.search(loop.text)
    )


def _is_whole(stack: Sequence[Frame]) -> bool:
    return any(frame.function == "<module>" for frame in stack)


class _Mark:
    """Which functions make the mark that ends a step, each frame looked at once."""

    def __init__(self, marker: str) -> None:
        self._forward = f"{marker.removeprefix(_FORWARD)}.forward"
        call = _CALLS.get(marker)
        if marker.startswith(_REGION):
            call = rf"[\"']{re.escape(marker.removeprefix(_REGION))}[\"']"
        self._call = re.compile(call) if call else None
        self._known: dict[Frame, bool] = {}

    def is_made_by(self, frame: Frame) -> bool:
        """Whether the function that the frame is in makes it; the program's top level is in none."""
        if frame not in self._known:
            self._known[frame] = self._looks_made_by(frame)
        return self._known[frame]

    def _looks_made_by(self, frame: Frame) -> bool:
        functions = functions_of(frame.file)
        name = functions.get(frame.line)
        if name is None:
            return False
        if self._call is None:
            return f".{name}".endswith(f".{self._forward}")
        lines = lines_of(frame.file)
        mine = (lines[n - 1] for n, function in functions.items() if function == name)
        return any(self._call.search(line) for line in mine)
