"""An installed library waits for the device on behalf of one of your lines.

What it does
    Finds waits and copies whose line lies in an installed package, and names the line of your own code
    that called it.

Why it hurts
    The wait costs what every wait costs, and nothing in your own code shows it: a call that looks like
    arithmetic reads a value, checks a range or builds a mask on the host.

How the saving is estimated
    As for every wait: replayed from a trace without them where there is one, else per wait 10 to 20 µs
    for the call and 50 to 200 µs of idle device after it.

When not to act
    When the library does it once per step by design (a gradient scaler), or offers no other way.
"""

from __future__ import annotations

from collections.abc import Sequence

from perfkit.analysis.sync_points import SyncPoint
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules import _claims, _places
from perfkit.rules._claims import Claim
from perfkit.rules._engine import Looked

PRIORITY = 40

FIX = "See whether the library has an option or a newer version without it; else read less often"


def sync_hidden_in_library(run: Run) -> Looked:
    """One finding per line of your own code that calls into a library that waits.

    Raises:
        NotApplicable: nothing waits, or no step was watched.
    """
    found = _claims.claimed(run, "sync_hidden_in_library", reads_source=False)
    return Looked(_places.watched(run), tuple(_finding(run, claim) for claim in found))


def claims(points: Sequence[SyncPoint]) -> list[Claim]:
    """The waits below each line of the user that a library makes."""
    return _claims.by_line_of(points, lambda point: point.caller)


def _finding(run: Run, claim: Claim) -> Finding:
    return _claims.finding(
        run,
        claim,
        f"The call in {claim.function} waits inside {_library(claim)}: {_claims.told(run, claim)}",
        _places.advice(list(claim.points)) or FIX,
    )


def _library(claim: Claim) -> str:
    site = claim.points[0].site
    return (_places.library_of(site.file) if site else None) or "an installed library"
