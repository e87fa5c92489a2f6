"""A mixture of experts asks the device about every expert in turn.

What it does
    Finds a loop over experts whose lines, or functions called from them, make the host wait: asking
    whether an expert has tokens, looking up which, indexing with a mask. All of them are one finding
    at the loop. Speaks up from two waits per step.

Why it hurts
    Experts times layers waits per step, each of which lets the queue of the device run empty. The
    experts' own products are small, so the device mostly waits for the next question.

How the saving is estimated
    As for every wait: replayed from a trace without the waits of all its lines at once, else per wait
    10 to 20 µs for the call and 50 to 200 µs of idle device. Launches that go away when the experts
    are computed together come on top and are not counted.

When not to act
    With so few tokens that computing every expert densely takes less than sorting (the rewrite's
    page gives the crossover), or with experts so large that each fills the device on its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from perfkit.analysis.loops import Loop
from perfkit.analysis.sync_points import SyncPoint
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules import _claims, _places
from perfkit.rules._claims import Claim
from perfkit.rules._engine import Looked

PRIORITY = 10
LEAST = 2.0
_EXPERTS = re.compile(r"expert|moe(?![a-z])|router", re.IGNORECASE)
_OTHERS = re.compile(r"layer|block|head", re.IGNORECASE)

FIX = (
    "Sort the tokens by expert once and compute the experts together: perfkit.rewrites.moe_dispatch"
)


def per_expert_loop(run: Run) -> Looked:
    """One finding per loop over experts that waits.

    Raises:
        NotApplicable: nothing waits, or no step was watched.
        NotObservable: no source is at hand.
    """
    found = _claims.claimed(run, "per_expert_loop")
    return Looked(_places.watched(run), tuple(_finding(run, claim) for claim in found))


def loop_of(point: SyncPoint, loops: Sequence[Loop]) -> Loop | None:
    """The outermost loop over experts in the innermost function that has one."""
    mine = [loop for loop in loops if _over_experts(loop)]
    same = [loop for loop in mine if loop.place.function == mine[0].place.function]
    return same[-1] if same else None


def _over_experts(loop: Loop) -> bool:
    if _EXPERTS.search(loop.text):
        return True
    return bool(_EXPERTS.search(loop.place.function)) and not _OTHERS.search(loop.text)


def _finding(run: Run, claim: Claim) -> Finding:
    return _claims.finding(
        run,
        claim,
        f"The loop over experts in {claim.function} makes {_claims.told(run, claim)}",
        FIX,
        rewrite="moe_dispatch",
    )
