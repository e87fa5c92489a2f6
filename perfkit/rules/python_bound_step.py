"""Many tiny operators: the step is bound by launching them, not by what they compute.

What it does
    Compares the number of operators a step dispatches with the time the step takes. On CUDA it
    speaks up when the launches alone fill at least half of the step, and stays silent where a trace
    shows the device busy for over nine tenths of it: launching then keeps up. Without a GPU the
    device time of an operator cannot be seen; it then speaks up when the operators are so small
    (30 µs each or less on one CPU, at least 200 of them) that a GPU would finish them faster than
    Python can launch them.

Why it hurts
    An eager operator costs the host 5 to 10 µs, whatever it computes. A device that gets its work
    in such crumbs is idle most of the time, and a faster device changes nothing.

How the saving is estimated
    Launches per step times 5, 7 and 10 µs is the floor of an eager step. Batching or compiling
    usually removes between a quarter and nine tenths of the launches: that share of the floor is
    the range, and where a trace shows how long the device idles, no more than that. Where
    `launch_bound_step` speaks, which knows the operators' floor as well, it counts the launches. Without
    a GPU there is no saving: launches were counted, but what they do depends on sizes, and programs are
    run small where there is no GPU. It overlaps with what `host_wait_in_step` reports for the same loop;
    do not add them.

When not to act
    When the step is already compiled or replayed as a CUDA graph, when it runs rarely, or when the
    batch can simply be made larger.
"""

from __future__ import annotations

from contextlib import suppress

from perfkit.analysis.launches import LaunchLoad, launch_load
from perfkit.analysis.operators import most_called
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.rules._claims import PART_OF
from perfkit.rules._engine import Looked
from perfkit.rules._launching import launch_bound, starved
from perfkit.rules._starved import STARVED

_SHARE_ON_CUDA = 0.5
_BUSY = 0.9
_MANY = 200
_TINY_NS = 30_000
_REMOVABLE = (0.25, 0.5, 0.9)

FIX = (
    "Replace the Python loop by operations on whole tensors; where the shapes are static, "
    "torch.compile the function or replay it as a CUDA graph"
)


def python_bound_step(run: Run) -> Looked:
    """At most one finding, about the step as a whole.

    Raises:
        NotObservable: operators were not counted or no step was timed.
    """
    load = launch_load(run)
    at = f"{units.count(round(load.launches))} launches in a step of {units.ns(load.step_ns)}"
    if run.device != "cuda":
        at += "; how long they take on a GPU was not observable"
    idle = _idle_share(run)
    if idle is not None and idle < 1 - _BUSY:
        return Looked(f"{at}, in which the device is busy {1 - idle:.0%} of the time")
    bound = _bound_on_cuda(load) if run.device == "cuda" else _tiny_on_cpu(load)
    return Looked(at, (_finding(load, run, idle),) if bound else ())


def _idle_share(run: Run) -> float | None:
    """How much of the steps the busiest device idles; None where no trace shows it."""
    if not isinstance(run.events, Events):
        return None
    devices = trace_reading(run.events).idle
    return devices[0].total_ns / devices[0].step_ns if devices and devices[0].step_ns else None


def _bound_on_cuda(load: LaunchLoad) -> bool:
    return load.floor_ns[0] >= _SHARE_ON_CUDA * load.step_ns


def _tiny_on_cpu(load: LaunchLoad) -> bool:
    return load.launches >= _MANY and load.ns_per_launch <= _TINY_NS


def _finding(load: LaunchLoad, run: Run, idle: float | None) -> Finding:
    count = units.count(round(load.launches))
    low, _, high = load.floor_ns
    floor = f"{units.ns(low)} to {units.ns(high)}"
    called = most_called(run)
    owner = _owner(run)
    return Finding(
        title=f"A step launches {count} small operators: {floor} of launching on CUDA",
        evidence={
            "launches_per_step": load.launches,
            "step_ns": load.step_ns,
            "ns_per_launch": load.ns_per_launch,
            "launch_floor_ns": load.floor_ns[1],
            **({} if idle is None else {"device_idle_ns": round(idle * load.step_ns)}),
            "most_called": f"{called[0]}, {units.count(round(called[1], 1))} per step"
            if called
            else None,
            **({PART_OF: owner} if owner else {}),
        },
        saving=None if owner or run.device != "cuda" else _saving(load, run, idle),
        fix=FIX,
        confidence="likely" if run.device == "cuda" else "low",
    )


def _owner(run: Run) -> str | None:
    """The rule that counts the same launches."""
    with suppress(NotApplicable, NotObservable):
        if launch_bound(run) is not None:
            return "launch-bound-step"
    return STARVED if starved(run) else None


def _saving(load: LaunchLoad, run: Run, idle: float | None) -> Saving:
    parts = zip(load.floor_ns, _REMOVABLE, strict=True)
    limit = load.step_ns
    method = "estimated from launches at 5, 7 and 10 µs, of which 25, 50 and 90 % go"
    if idle is not None:
        limit = min(limit, round(idle * load.step_ns))
        method += ", at most the time the device idles"
    low, likely, high = (min(round(floor * share), limit) for floor, share in parts)
    return Saving(low, likely, high, method)
