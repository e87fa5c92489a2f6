"""The gradient of a line waits for the device.

What it does
    Finds waits and copies during the backward pass and names the line of the forward that recorded
    them.

Why it hurts
    The backward pass normally runs far ahead of the device, as nothing in it asks for values. One wait
    in it, such as the gradient of a masked selection, which must count the mask again, empties the
    queue in the longest part of the step.

How the saving is estimated
    As for every wait: replayed from a trace without them where there is one, else per wait 10 to 20 µs
    for the call and 50 to 200 µs of idle device after it.

When not to act
    When the backward keeps the device busy with large kernels anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

from perfkit.analysis.sync_points import SyncPoint
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules import _claims, _places
from perfkit.rules._claims import Claim
from perfkit.rules._engine import Looked

PRIORITY = 60

FIX = "Write the forward with shapes the host knows: torch.where and a weighted mean instead of x[mask]"


def sync_in_backward(run: Run) -> Looked:
    """One finding per line whose gradient waits.

    Raises:
        NotApplicable: nothing waits, or no step was watched.
    """
    found = _claims.claimed(run, "sync_in_backward", reads_source=False)
    return Looked(_places.watched(run), tuple(_finding(run, claim) for claim in found))


def claims(points: Sequence[SyncPoint]) -> list[Claim]:
    """The waits of the backward, by the line of the forward."""
    found = [point for point in points if point.phase == "backward"]
    return _claims.by_line_of(found, lambda point: point.site)


def _finding(run: Run, claim: Claim) -> Finding:
    return _claims.finding(
        run,
        claim,
        f"The gradient of this line in {claim.function} waits: {_claims.told(run, claim)}",
        _places.advice(list(claim.points)) or FIX,
        rewrite=_places.rewrite(list(claim.points)),
    )
