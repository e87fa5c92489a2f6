"""A loss is computed sample by sample or pair by pair, and waits for each.

What it does
    Finds a loop in a loss whose lines, or functions called from them, wait or copy for every sample
    or pair: reading values to build a target, selecting with a mask, copying a small tensor over.
    All of them are one finding at the outermost such loop. Speaks up from eight per step.

Why it hurts
    A pair's arithmetic is a few additions; what it costs is hundreds of launches with a wait between
    them. The step grows with the number of pairs while the device idles.

How the saving is estimated
    As for every wait: replayed from a trace without the waits of all its lines at once, else per wait
    10 to 20 µs for the call and 50 to 200 µs of idle device. Launches that go away when all pairs are
    computed at once come on top and are not counted.

When not to act
    When the loss needs a decision on the host for each sample, or is so rare that it does not show in
    the step.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from perfkit.analysis.loops import Loop
from perfkit.analysis.source import source_at
from perfkit.analysis.sync_points import SyncPoint
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from perfkit.rules import _claims, _places
from perfkit.rules._claims import Claim
from perfkit.rules._engine import Looked

PRIORITY = 20
LEAST = 8.0
_LOSS = re.compile(r"loss(?!y)|preference|pairwise|criterion", re.IGNORECASE)
_PAIRS = re.compile(r"\bpairs?\b|pairwise|better|worse|preference|chosen|rejected", re.IGNORECASE)
_OTHERS = re.compile(r"\blayers?\b|\bblocks?\b|param", re.IGNORECASE)
_CALL = re.compile(r"(loss(?!y)|criterion)\w*\(", re.IGNORECASE)
_CALLED_FOR_OTHERS = ("forward", "__call__", "<module>")
_NAMES = 2

FIX_PAIRS = "Collect all pairs once and compute their loss at once: perfkit.rewrites.pairwise_preference_loss"
FIX_SAMPLES = (
    "Stack or pad the samples and compute the loss of all at once; read values in one copy"
)


def per_pair_loss(run: Run) -> Looked:
    """One finding per loss that goes through its samples or pairs and waits for them.

    Raises:
        NotApplicable: nothing waits, or no step was watched.
        NotObservable: no source is at hand.
    """
    found = _claims.claimed(run, "per_pair_loss")
    return Looked(_places.watched(run), tuple(_finding(run, claim) for claim in found))


def loop_of(point: SyncPoint, loops: Sequence[Loop]) -> Loop | None:
    """The outermost loop of a loss around it."""
    mine = [loop for loop in loops if _of_a_loss(loop) or _called_as_a_loss(loop, point.stack)]
    return mine[-1] if mine else None


def _called_as_a_loss(loop: Loop, stack: Sequence[Frame]) -> bool:
    """Whether the function of the loop goes by another name, and is called as a loss: `loss(scores)`.

    A line such as `loss(model(x), y)` calls two: what it calls by its own name is the other one, as
    is a module's forward.
    """
    if _OTHERS.search(loop.text):
        return False
    for frame, caller in pairwise(stack):
        if loop.holds(frame) and frame.function not in _CALLED_FOR_OTHERS:
            source = source_at(caller)
            text = source.code if source else ""
            if _CALL.search(text) and f"{frame.function}(" not in text:
                return True
    return False


def _of_a_loss(loop: Loop) -> bool:
    return bool(_LOSS.search(_names(loop))) and not _OTHERS.search(loop.text)


def _names(loop: Loop) -> str:
    """Function, header, and file with its folder: one of them says what the loop is about."""
    file = "/".join(loop.place.file.replace("\\", "/").rsplit("/", _NAMES)[-_NAMES:])
    return f"{file} {loop.place.function} {loop.text}"


def _finding(run: Run, claim: Claim) -> Finding:
    pairs = any(_PAIRS.search(_names(loop)) for loop in _claims.loops_of(run, claim))
    return _claims.finding(
        run,
        claim,
        f"The loss goes {'pair by pair' if pairs else 'sample by sample'} in {claim.function}: "
        f"{_claims.told(run, claim)}",
        FIX_PAIRS if pairs else FIX_SAMPLES,
        rewrite="pairwise_preference_loss" if pairs else None,
    )
