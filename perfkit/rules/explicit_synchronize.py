"""The program itself tells the host to wait.

What it does
    Lists the lines that synchronise outright inside a step: torch.cuda.synchronize(), and synchronize()
    of a stream or an event.

Why it hurts
    Everything queued must finish before Python goes on, and the device then idles until the next launch
    is prepared. Left over from timing or debugging, it serialises host and device for good.

How the saving is estimated
    As for every wait: replayed from a trace without them where there is one, else per wait 10 to 20 µs
    for the call and 50 to 200 µs of idle device after it.

When not to act
    Where another process or the host's own clock needs the result at this point, and in code that only
    measures.
"""

from __future__ import annotations

from collections.abc import Sequence

from perfkit.analysis.sync_points import SyncPoint
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules import _claims, _places
from perfkit.rules._claims import Claim
from perfkit.rules._engine import Looked

PRIORITY = 50

FIX = (
    "Take it out of the step: wait_stream and wait_event order work without the host, and CUDA events "
    "time it"
)


def explicit_synchronize(run: Run) -> Looked:
    """One finding per line that synchronises.

    Raises:
        NotApplicable: nothing waits, or no step was watched.
    """
    found = _claims.claimed(run, "explicit_synchronize", reads_source=False)
    return Looked(_places.watched(run), tuple(_finding(run, claim) for claim in found))


def claims(points: Sequence[SyncPoint]) -> list[Claim]:
    """The outright waits, by line."""
    found = [point for point in points if point.kind == "synchronize"]
    return _claims.by_line_of(found, lambda point: point.site)


def _finding(run: Run, claim: Claim) -> Finding:
    return _claims.finding(
        run,
        claim,
        f"{claim.function} synchronises outright: {_claims.told(run, claim)}",
        FIX,
    )
