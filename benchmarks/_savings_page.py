"""savings.md: the tables of `benchmarks/savings.py`, with how many predictions held."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks._chain import Claim
    from benchmarks.savings import Loading, Row
    from benchmarks.what_if import Row as Pair

_HEAD = """# Predicted savings, and what was then measured

Written by `python -m benchmarks.savings --write`; the numbers beside it in `savings.json`. No GPU had a
part in it: what waits cost on CUDA is a model from counts, shown and not tested here.
"""

_COUNTS = """
## Waits and launches per step, on the pretend device

The found programs as a user's own files. A wait is a synchronisation or a blocking copy. "Predicted" is
what the findings of one profile say of a step, "gone" what the next one no longer counts; all together
stands for the first profile and the last.
Launches are predicted by loops only, and only for the loop's own lines: at least so many. CPU time is that
of the whole program on one thread with this change and those above it, as a multiple of the time as found.
"""

_REPLAY = """
## Step time by replay (`perfkit whatif`)

On a device in software (`benchmarks/what_if.py`), µs per step; error over the old step time. The range
holds what is unknown about the edit and the noise of the recorded steps: its width says how steady the
machine was.
"""

_LOADING = """
## Time in the DataLoader, on this CPU
"""


def page(rows: Sequence[Row], loads: Sequence[Loading], pairs: Sequence[Pair]) -> str:
    """The whole file."""
    parts = [_HEAD]
    if rows:
        parts += [_COUNTS, _changes(rows), _counted(rows)]
    if loads:
        parts += [_LOADING, _loads(loads)]
    if pairs:
        parts += [_REPLAY, _pairs(pairs), _held(pairs)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _changes(rows: Sequence[Row]) -> str:
    heads = (
        "program",
        "change: findings",
        "waits predicted",
        "gone",
        "launches predicted",
        "gone",
        "cost on CUDA (model)",
        "equal",
        "CPU time",
    )
    lines = []
    for name, group in groupby(rows, key=lambda row: row.program):
        own = list(group)
        lines += [_change(name, row) for row in own]
        lines.append(_joint(name, own))
    return _table(heads, lines)


def _change(name: str, row: Row) -> tuple[str, ...]:
    places = "; ".join(f"`{claim.rule}` {claim.place}" for claim in row.claims) or "no finding"
    predicted = row.launches_predicted
    return (
        name,
        f"{row.change}: {places}",
        _number(row.waits_predicted),
        _number(row.waits_gone),
        "" if predicted is None else f"≥ {_number(predicted)}",
        _number(row.launches_gone),
        _cost(row.claims),
        _equal(row),
        f"{row.cpu_s / row.cpu_before_s:.2f}",
    )


def _joint(name: str, rows: Sequence[Row]) -> tuple[str, ...]:
    first, last = rows[0], rows[-1]
    at_first = [claim for row in rows for claim in row.first]
    waits = f"{_number(first.waits_before - last.waits_after)} of {_number(first.waits_before)}"
    launches = "unknown"
    if first.launches_before is not None and last.launches_after is not None:
        gone = first.launches_before - last.launches_after
        launches = f"{_number(gone)} of {_number(first.launches_before)}"
    return (
        name,
        "**all together**",
        _number(sum(claim.waits for claim in at_first)),
        waits,
        "",
        launches,
        _cost(at_first),
        _equal(last),
        f"{last.cpu_s / last.cpu_before_s:.2f}",
    )


def _counted(rows: Sequence[Row]) -> str:
    """How many changes did what was said, and where not."""
    asked = [row for row in rows if row.claims]
    right = [row for row in asked if abs(row.waits_gone - row.waits_predicted) < 0.5]
    errors = [
        abs(row.waits_gone - row.waits_predicted) / max(row.waits_predicted, 1) for row in asked
    ]
    loops = [row for row in asked if row.launches_predicted is not None]
    held = [row for row in loops if (row.launches_gone or 0) >= (row.launches_predicted or 0)]
    off = "; ".join(
        f"{row.program}, {row.change}: {_number(row.waits_predicted)} predicted, "
        f"{_number(row.waits_gone)} gone"
        for row in asked
        if row not in right
    )
    return (
        f"Waits: {len(right)} of {len(asked)} changes took away exactly what was predicted, median error "
        f"{statistics.median(errors):.0%}, largest {max(errors):.0%}"
        + (f" ({off})" if off else "")
        + f". Launches: at least what was predicted in {len(held)} of {len(loops)}."
    )


def _loads(loads: Sequence[Loading]) -> str:
    heads = ("program", "predicted saving", "with", "step before", "after", "saved", "within")
    return _table(
        heads,
        [
            (
                one.program,
                f"{_ms(one.likely_ns)} ({_ms(one.low_ns)} to {_ms(one.high_ns)}) ms",
                f"{one.workers} worker{'s' if one.workers > 1 else ''}",
                f"{_ms(one.before_ns)} ms",
                f"{_ms(one.after_ns)} ms",
                f"{_ms(one.saved_ns)} ms",
                _yes(one.within),
            )
            for one in loads
        ],
    )


def _pairs(pairs: Sequence[Pair]) -> str:
    heads = ("pair", "before", "predicted", "after", "error", "within", "width of the range")
    return _table(
        heads,
        [
            (
                f"`{one.name}`",
                f"{one.before_ns / 1e3:,.0f}",
                f"{one.likely_ns / 1e3:,.0f} ({one.low_ns / 1e3:,.0f} to {one.high_ns / 1e3:,.0f})",
                f"{one.after_ns / 1e3:,.0f}",
                f"{one.error:+.1%}",
                _yes(one.within),
                f"{one.width:.0%}",
            )
            for one in pairs
        ],
    )


def _held(pairs: Sequence[Pair]) -> str:
    errors = [abs(one.error) for one in pairs]
    return (
        f"{sum(one.within for one in pairs)} of {len(pairs)} within the range; median |error| "
        f"{statistics.median(errors):.1%}, largest {max(errors):.1%}; median width of the range "
        f"{statistics.median(one.width for one in pairs):.0%} of the old step time."
    )


def _equal(row: Row) -> str:
    if row.proof is None:
        return f"results within {row.drift:.0e}"
    exact = all(verdict == "exact" for verdict in row.proof.verdicts)
    if any(verdict not in ("exact", "within tolerance") for verdict in row.proof.verdicts):
        return "**different**"
    told = "exact" if exact else f"within {row.proof.worst_error:.0e}"
    return f"{told}, {row.proof.gradients} gradients too"


def _cost(found: Sequence[Claim]) -> str:
    """Savings of findings that speak for different waits, so that they add up."""
    low, likely, high = (
        sum(getattr(claim, f"{end}_ns") for claim in found) for end in ("low", "likely", "high")
    )
    return f"{_ms(likely)} ({_ms(low)} to {_ms(high)}) ms" if found else ""


def _ms(ns: float) -> str:
    return f"{ns / 1e6:.3g}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{round(value, 1):,g}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
