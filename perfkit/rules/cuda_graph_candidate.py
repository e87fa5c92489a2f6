"""A step bound by its launches could be captured once and replayed with a single launch.

What it does
    Takes a step that launch_bound_step calls bound by launching and looks for what would break a
    capture: waits and copies of the host in forward or backward, launches that differ from step to
    step, shapes that do, and batches of changing size. Where none is found, the step is a candidate;
    what was compared, and what could not be, stands in the evidence.

Why it hurts
    Every kernel of such a step costs the host more than the device. A CUDA graph holds the launches
    of a step and replays them at the price of one: Python, dispatcher and autograd do not run.

How the saving is estimated
    As launch_bound_step does, 25, 50 and 90 % of the launches' time beyond the device's floor. The
    saving stands here; launch_bound_step then lists the same step as part of this finding, without
    one of its own, so that no launch is counted twice. Where no GPU was measured the finding is
    informative and has no saving, for the reason that launch_bound_step gives.

When not to act
    When shapes will change in longer runs than this one (pad to a few sizes first), when a branch or
    a schedule in Python decides what runs, when a larger batch is possible, or when memory is short:
    each captured shape keeps its own.
"""

from __future__ import annotations

from dataclasses import replace

from perfkit.analysis.graph_capture import GraphCapture, graph_capture
from perfkit.base import units
from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules._engine import Looked
from perfkit.rules._launching import launch_bound

FIX = (
    "Replay forward, backward and optimizer as a CUDA graph: perfkit.rewrites.cuda_graph_step(step), or "
    "torch.compile(mode='reduce-overhead'); the optimizer needs capturable=True"
)


def cuda_graph_candidate(run: Run) -> Looked:
    """At most one finding, about the step as a whole.

    Raises:
        NotApplicable: launches do not limit the step, or waits stand in the way.
        NotObservable: launches were not counted, nobody watched for waits, or fewer than two steps
            were traced.
    """
    bound = launch_bound(run)
    if bound is None:
        raise NotApplicable("launches do not limit the step")
    found = graph_capture(run)
    if found.waits:
        raise NotApplicable(f"{found.waits_told} must go first: a CUDA graph cannot hold them")
    if found.changes:
        return Looked(f"bound by launches, but {'; '.join(found.changes)}")
    at = f"{found.checked}: the same in all"
    return Looked(at, (_finding(bound, found),))


def _finding(bound: Finding, found: GraphCapture) -> Finding:
    launches = float(bound.evidence.get("launches_per_step") or 0)
    count = units.count(round(launches))
    return replace(
        bound,
        title=f"The step repeats the same {count} launches without a wait: a CUDA graph can replay them",
        evidence={
            **bound.evidence,
            "steps_compared": len(found.order.counts),
            "checked": found.checked,
            "not_checked": found.unchecked or None,
        },
        fix=FIX,
        rewrite="cuda_graph_step",
        confidence="likely" if not found.unchecked and bound.confidence == "likely" else "low",
    )
