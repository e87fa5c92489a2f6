"""A log line reads values from the device in every step.

What it does
    Finds reads whose statement prints, logs, or feeds a progress bar or a dashboard, and formatting of
    whole tensors. All of one function are one finding.

Why it hurts
    A number that nobody reads in real time stops the host in every step. Five numbers stop it five times.

How the saving is estimated
    As for every wait: replayed from a trace without them where there is one, else per wait 10 to 20 µs
    for the call and 50 to 200 µs of idle device after it.

When not to act
    When the log is written every hundredth step already: the count per step then shows it.
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

PRIORITY = 70
_LOG = re.compile(
    r"(?<!\w)(?:print|log_dict|log_metrics|add_scalars?|set_postfix(?:_str)?|set_description"
    r"|log(?:ger|ging)?\.\w+|tqdm\.write|writer\.\w+)\("
    r"|(?<![\w.])log\(|\b(?:self|trainer|wandb|run|mlflow)\.log\("
)

FIX = (
    "Log every N steps, and until then keep values as detached tensors; stack several and read them in "
    "one copy"
)


def sync_in_logging(run: Run) -> Looked:
    """One finding per function that logs values of the device.

    Raises:
        NotApplicable: nothing waits, or no step was watched.
        NotObservable: no source is at hand.
    """
    found = _claims.claimed(run, "sync_in_logging")
    return Looked(_places.watched(run), tuple(_finding(run, claim) for claim in found))


def claims(points: Sequence[SyncPoint]) -> list[Claim]:
    """The reads of log lines, by function."""
    return _claims.by_function(points, _logs)


def _logs(point: SyncPoint) -> bool:
    if point.kind == "print":
        return True
    return point.direction == "d2h" and bool(_LOG.search(_places.code_at(point.site)))


def _finding(run: Run, claim: Claim) -> Finding:
    return _claims.finding(
        run,
        claim,
        f"Logging in {claim.function} reads from the device: {_claims.told(run, claim)}",
        FIX,
        rewrite="device_metrics",
    )
