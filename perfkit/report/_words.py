"""Numbers and phrases that every kind of report shares."""

from __future__ import annotations

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis, Finding, Saving
from perfkit.model.table import Cell

STATES = {
    "found": "found",
    "clear": "clear",
    "not-applicable": "not applicable",
    "not-observable": "could not look",
    "error": "crashed",
}
RULES = {"host-wait-in-step": "host waits", "blocking-copies": "blocking copies"}
_SCALES = ((1e3, 1.0, "ns"), (1e6, 1e3, "µs"), (1e9, 1e6, "ms"))


def span(saving: Saving) -> str:
    """The range in one unit: `0.64–14 ms`."""
    divisor, unit = 1e9, "s"
    for limit, scale, name in _SCALES:
        if saving.high_ns < limit:
            divisor, unit = scale, name
            break
    low, high = (_short(value / divisor) for value in (saving.low_ns, saving.high_ns))
    return f"{low}–{high} {unit}" if low != high else f"{high} {unit}"


def likely(saving: Saving) -> str:
    """The likely value alone: `4.16 ms`."""
    return units.ns(saving.likely_ns)


def per_step(value: Cell) -> str:
    """A count per step; a dash where unknown."""
    return units.count(round(value, 1)) if isinstance(value, (int, float)) else "–"


def duration(value: Cell) -> str:
    """A duration in ns; a dash where unknown."""
    return units.ns(value) if isinstance(value, (int, float)) else "–"


def size(value: Cell) -> str:
    """A size in bytes; a dash where unknown."""
    return units.nbytes(value) if isinstance(value, (int, float)) else "–"


def share(value: Cell) -> str:
    """A share as a percentage; a dash where unknown."""
    return f"{value:.0%}" if isinstance(value, (int, float)) else "–"


def text(value: Cell) -> str:
    """Any other cell; a dash where unknown."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def on_device(diagnosis: Diagnosis) -> str:
    """Where the costs would be paid, to stand behind "cost"."""
    return "" if diagnosis.facts.get("device") == "cuda" else " on CUDA"


def total(findings: list[Finding]) -> Saving | None:
    """All savings together; None where none was estimated."""
    savings = [finding.saving for finding in findings if finding.saving]
    if not savings:
        return None
    return Saving(
        sum(s.low_ns for s in savings),
        sum(s.likely_ns for s in savings),
        sum(s.high_ns for s in savings),
        savings[0].method,
    )


def not_checked(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """(what, why) of everything nobody looked at: abstaining rules first, then gaps."""
    abstained = [
        (outcome.rule, outcome.reason or "no reason was given")
        for outcome in diagnosis.outcomes
        if outcome.state in ("not-observable", "error")
    ]
    gaps = [gap.partition(": ") for gap in diagnosis.coverage.gaps]
    return abstained + [(what, why) for what, _, why in gaps]


def coverage_line(diagnosis: Diagnosis) -> str:
    """What the verdict stands on, in one sentence."""
    coverage = diagnosis.coverage
    known = [
        f"{name} {units.ratio(value)}"
        for name, value in coverage.overhead.items()
        if value and name != "pretence"
    ]
    parts = [coverage.basis]
    if known:
        parts.append(f"overhead: {', '.join(known)} of a bare step")
    if coverage.overhead.get("pretence"):
        parts.append(f"the pretence about {units.ratio(coverage.overhead['pretence'])}")
    if coverage.device_time_attributed is not None:
        parts.append(f"{coverage.device_time_attributed:.0%} of device time attributed")
    if coverage.ops_with_costs is not None:
        parts.append(f"{units.share(coverage.ops_with_costs)} of operator calls costed")
    return "; ".join(parts)


def _short(value: float) -> str:
    shown = f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 10 else f"{value:,.0f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
