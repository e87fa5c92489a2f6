"""A batch goes to the device from ordinary memory, tensor by tensor, while Python waits.

What it does
    Finds .to(device), .cuda() and copy_() of whole tensors that block, because the memory is pageable
    or non_blocking=True is missing. All of one function are one finding.

Why it hurts
    Ordinary memory may move, so the driver copies it into a buffer of its own first, and Python waits
    for that. From pinned memory with non_blocking=True the copy runs beside the step before it.

How the saving is estimated
    Where a trace shows launches and kernels, the step is replayed from it with copies that no longer
    wait. Elsewhere it is the call and the bubble of a synchronisation per copy, plus the bytes at 3 to
    12 GB/s.

When not to act
    For one small copy per step, or where pinning would take memory that the host lacks: pinned memory
    cannot be swapped out, and pinning anew each step costs more than it saves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from perfkit.analysis.sync_points import SyncPoint
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules import _claims, _places
from perfkit.rules._claims import Claim
from perfkit.rules._engine import Looked

PRIORITY = 90
_MOVE = re.compile(r"\.(to|cuda|copy_)\(")

FIX = (
    "DataLoader(pin_memory=True) and non_blocking=True, with the next batch copied while this one is "
    "computed; pack many small tensors into one"
)


def unpinned_copy(run: Run) -> Looked:
    """One finding per function that copies to the device.

    Raises:
        NotApplicable: nothing waits, or no step was watched.
        NotObservable: no source is at hand.
    """
    found = _claims.claimed(run, "unpinned_copy")
    return Looked(_places.watched(run), tuple(_finding(run, claim) for claim in found))


def claims(points: Sequence[SyncPoint]) -> list[Claim]:
    """The copies of tensors that were there before, by function."""
    return _claims.by_function(points, _moves)


def _moves(point: SyncPoint) -> bool:
    if point.kind not in ("h2d", "h2d_pageable_async"):
        return False
    code = _places.code_at(point.site)
    return bool(_MOVE.search(code)) and not _places.MADE.search(code)


def _finding(run: Run, claim: Claim) -> Finding:
    return _claims.finding(
        run,
        claim,
        f"Tensors go to the device from ordinary memory in {claim.function}: {_claims.told(run, claim)}",
        FIX,
        rewrite=_places.rewrite(list(claim.points)),
    )
