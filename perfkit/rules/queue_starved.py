"""The device's queue runs empty: the host launches the next work too late, and waits for nothing.

What it does
    Adds up the time in which the device idles, nothing that it could run has been launched, and the
    host is busy with Python, operators or calls of the runtime rather than waiting or loading. Speaks
    up from a twentieth of the step, where a step makes ten launches and more. Names the operators and,
    where the trace has Python frames, the lines that launched when the queue was empty.

Why it hurts
    A host that runs ahead fills the queue, and the device never waits. Where launching takes longer
    than what is launched, or Python thinks between two launches, the device eats the queue empty and
    then runs at the host's pace.

How the saving is estimated
    The step is replayed from the trace: a host 1.25 times as fast is low, twice as fast likely, each
    step as one CUDA graph high. Where it cannot be replayed: a tenth, half and all of the time. The
    saving stands here; idle_device lists the same time as part of this finding, without one of its
    own, and so do launch_bound_step, cuda_graph_candidate and python_bound_step, which count launches.

When not to act
    When the trace was recorded with stacks, which slows the host down, or when single requests are
    served with pauses in between. The start of a program, where the device is still set up, is left
    out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perfkit.analysis.starved_queue import StarvedQueue, starved_queue
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from perfkit.rules import _places, _replayed
from perfkit.rules._engine import Looked
from perfkit.rules._starved import LAUNCHES, SHARE, mean, starves

_NAMED = 3
_SHARES = (0.1, 0.5, 1.0)
_METHOD = "a tenth, half and all of the time with an empty queue in the trace"

FIX = (
    "Launch earlier and less: take Python work out from between these launches, batch small operators, "
    "torch.compile the step, or replay it as a CUDA graph"
)


@dataclass(frozen=True)
class _Named:
    """Something that launches while the queue is empty, and its share of that time."""

    text: str
    share: float


def queue_starved(run: Run) -> Looked:
    """At most one finding, about the device that starves most.

    Raises:
        NotObservable: no trace with launches and device work is at hand.
    """
    if not isinstance(run.events, Events):
        raise NotObservable("no trace was read, so the launch queue is unknown")
    reading = trace_reading(run.events)
    found = starved_queue(reading)
    at = (
        f"the queue of device {found.device} is empty, and the host waits for nothing, for "
        f"{units.share(found.share)} of the steps of {units.count(round(mean(found.launches)))} launches"
    )
    if starves(reading):
        return Looked(at, (_finding(found, run),))
    set_up = found.share >= SHARE and mean(found.launches) >= LAUNCHES
    return Looked(f"{at}, while the device is set up" if set_up else at)


def _finding(found: StarvedQueue, run: Run) -> Finding:
    steps = len(found.steps_ns)
    shares = sorted(
        ns / length
        for ns, length in zip(found.per_step.tolist(), found.steps_ns.tolist(), strict=True)
        if length
    )
    place = found.lines[0][0] if found.lines else None
    ops = _named(found.ops, found.total_ns)
    lines = _named([(_short(frame), ns) for frame, ns in found.lines], found.total_ns)
    before = f", mostly before {found.ops[0][0]}" if found.ops else ""
    return Finding(
        title=f"The launch queue is empty for {units.share(found.share)} of the step while the host "
        f"waits for nothing{before}",
        place=place,
        code=_places.code_at(place) if place is not None else "",
        evidence={
            "kinds": _replayed.LAUNCHING,
            "device": found.device,
            "starved_ns": round(found.total_ns / steps),
            "share": found.share,
            "share_lowest": shares[0],
            "share_highest": shares[-1],
            "queue_empty_share": mean(found.empty),
            "launches_per_step": mean(found.launches),
            "launched_late": _text(ops),
            "launching_lines": _text(lines),
        },
        saving=_saving(found, run, steps),
        fix=FIX,
        confidence="likely",
    )


def _saving(found: StarvedQueue, run: Run, steps: int) -> Saving:
    replayed = _replayed.less_idle(run, _replayed.LAUNCHING)
    if replayed is not None:
        return replayed
    low, likely, high = (round(found.total_ns * share / steps) for share in _SHARES)
    return Saving(low, likely, high, _METHOD)


def _named(parts: Sequence[tuple[str, int]], total_ns: int) -> list[_Named]:
    return [_Named(text, ns / total_ns) for text, ns in parts[:_NAMED]]


def _text(parts: list[_Named]) -> str | None:
    """`aten::mm (40%), aten::add (12%)`; None where nothing is known."""
    told = ", ".join(f"{part.text} ({units.share(min(1.0, part.share))})" for part in parts)
    return told or None


def _short(frame: Frame) -> str:
    return f"{frame.file.replace(chr(92), '/').rsplit('/', 1)[-1]}:{frame.line}"
