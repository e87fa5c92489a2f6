"""A Python loop issues many small operators that one operator on a larger tensor could be.

What it does
    Adds up the operators recorded at the lines of each loop. Speaks up from 64 per step in one loop
    that comes round eight times and more, where an operator moves less than a mebibyte on average.
    Loops of which another rule speaks (experts, slots, pairs) are left to it.

Why it hurts
    A launch costs the host 5 to 10 µs, and a mebibyte takes a GPU a fraction of one: the device waits
    for Python in every round of the loop.

How the saving is estimated
    The loop's operators per step beyond those of one round, at 5, 7 and 10 µs; low is nothing, because
    a device that is busy hides them, and likely is half. It overlaps with python_bound_step and
    launch_bound_step, which count the same launches: do not add them.

When not to act
    When each round needs the result of the one before it (a recurrence), or when the step is replayed
    as a CUDA graph.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from perfkit.analysis.launches import LAUNCH_NS
from perfkit.analysis.loops import Loop, loops_around
from perfkit.analysis.sync_costs import step_limit
from perfkit.base import units
from perfkit.base.errors import NotApplicable
from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from perfkit.rules import _claims
from perfkit.rules._engine import Looked
from perfkit.rules.per_slot_embedding import lookup_loops

_MANY = 64.0
_ROUNDS = 8.0
_TINY = 1 << 20
_SHARES = (0.0, 0.5, 1.0)
_METHOD = (
    "launches of all rounds but one at 5, 7 and 10 µs, of which none, half and all delay the step"
)

FIX = (
    "Stack what the loop goes through and do each operation once on the whole; where that cannot be, "
    "torch.compile the function"
)


@dataclass(frozen=True)
class _Work:
    """What one loop issues per step."""

    loop: Loop
    calls: float
    rounds: float
    nbytes: float
    most: str


def many_tiny_ops(run: Run) -> Looked:
    """One finding per loop, what launches most first.

    Raises:
        NotApplicable: operators were not counted by line.
    """
    if not run.costed_steps or not any(row.place for row in run.costs):
        raise NotApplicable("operators were not counted by line")
    spoken_for = _claims.loops(run) | lookup_loops(run).keys()
    work = [_work(loop, rows, run) for loop, rows in _by_loop(run).items()]
    found = [w for w in work if w.loop not in spoken_for and _worth(w)]
    loops = "1 loop that issues" if len(work) == 1 else f"{len(work)} loops that issue"
    return Looked(f"{loops} operators", tuple(_finding(w, run) for w in found))


def _by_loop(run: Run) -> dict[Loop, list[OpCost]]:
    """Operators by the outermost loop of the function they stand in, those around the step aside."""
    outside = _claims.outside_loops(run)
    found: dict[Loop, list[OpCost]] = defaultdict(list)
    for row in run.costs:
        if row.place is None:
            continue
        loops = loops_around([row.place], outside)
        if loops:
            found[loops[-1]].append(row)
    return found


def _work(loop: Loop, rows: list[OpCost], run: Run) -> _Work:
    lines: dict[tuple[Frame | None, str, str], int] = defaultdict(int)
    for row in rows:
        lines[row.place, row.op, str(row.phase)] += row.calls
    calls = sum(row.calls for row in rows)
    moved = sum(row.nbytes or 0 for row in rows)
    most = max(lines, key=lambda key: lines[key])
    per = run.costed_steps
    return _Work(loop, calls / per, min(lines[most], calls) / per, moved / calls, most[1])


def _worth(work: _Work) -> bool:
    return work.calls >= _MANY and work.rounds >= _ROUNDS and work.nbytes < _TINY


def _finding(work: _Work, run: Run) -> Finding:
    loop, limit = work.loop, step_limit(run)
    gone = work.calls * (1 - 1 / work.rounds)
    parts = (gone * ns * share for ns, share in zip(LAUNCH_NS, _SHARES, strict=True))
    low, likely, high = (round(min(ns, limit) if limit else ns) for ns in parts)
    count = units.count(round(work.calls, 1))
    return Finding(
        title=f"The loop in {loop.place.function or 'the script'} issues {count} small operators "
        f"per step, {units.nbytes(work.nbytes)} each",
        place=loop.place,
        code=loop.text,
        evidence={
            "operators_in_loop": work.calls,
            "most_called": f"{work.most}, {units.count(round(work.rounds, 1))} per step",
            "nbytes_per_operator": round(work.nbytes),
        },
        saving=Saving(low, likely, high, _METHOD),
        fix=FIX,
        confidence="likely" if run.device == "cuda" else "low",
    )
