"""What the verdict stands on: how many steps, at what distortion, and how much of them is understood."""

from __future__ import annotations

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis
from perfkit.report import _words
from perfkit.report.blocks import Block, Facts

ORDER = 12
_OVERHEAD = {
    "light": "light steps, with the tracer",
    "deep": "deep steps, with all detectors",
    "pretence": "the pretence of a device",
}


def section(diagnosis: Diagnosis) -> Block:
    """Always there: without it nobody could tell how far to trust the rest."""
    coverage = diagnosis.coverage
    pairs = [("stands on", coverage.basis), ("steps measured", units.count(coverage.steps))]
    pairs += [
        (_OVERHEAD.get(name, name), f"{units.ratio(value)} of a bare step")
        for name, value in coverage.overhead.items()
        if value
    ]
    pairs += [
        ("device time attributed", _known(coverage.device_time_attributed)),
        ("operator calls with known costs", _known(coverage.ops_with_costs)),
    ]
    missing = len(_words.not_checked(diagnosis))
    if missing:
        pairs.append(("not checked, or with care", f"{missing}, listed at the end with reasons"))
    lead = "Durations come from bare and light steps, places from deep ones."
    return Block(
        "coverage", "What this stands on", (Facts(tuple(pairs), prose=True),), lead, "Coverage"
    )


def _known(value: float | None) -> str:
    return "not known" if value is None else units.share(value)
