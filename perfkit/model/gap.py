"""What a recording lacks, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gap:
    """Something missing, dropped, repaired or not looked at: `what`, and `why`."""

    what: str
    why: str


LOST_SYNCS = "the synchronisation points"
"""`Gap.what` where a run's record of them is gone: none of them is known, which is not none at all."""
