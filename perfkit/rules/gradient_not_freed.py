"""Gradients, graphs or losses stay in memory longer than anybody needs them.

What it does
    Looks at one step closely and at the memory in use at the end of every step. It tells four things
    apart: gradients that are filled with zeros instead of being let go; gradients of an earlier step
    that still lie there during a forward which adds nothing to them (a late `zero_grad`, an evaluation
    after training); activations saved for a backward that has been or never comes
    (`retain_graph=True`, a forward with gradients on); and memory that grows from step to step, as a
    list of losses makes it. Below 16 MiB (1 MiB per step where it grows) it is silent, and below 2 % of
    the peak; gradients in zeros are told from 32 of them on, whatever their size.

Why it hurts
    Gradients take as much as the parameters, a graph as much as all activations, and they add to the
    peak of the next step. Zeros must be written, read and added to. What grows ends in an
    out-of-memory error, after hours.

How the saving is estimated
    Memory has no time, so most findings have none. Gradients in zeros cost one launch per parameter,
    the addition to the zeros, at 5, 7 and 10 µs; low is nothing and likely is half, because a busy
    device hides them.

When not to act
    A captured CUDA graph needs gradients that stay where they are. Gradients that are accumulated over
    several steps stay on purpose (these are not told). A key-value cache grows by design.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perfkit.analysis.kept_graphs import kept_graphs
from perfkit.analysis.launches import LAUNCH_NS
from perfkit.analysis.memory_growth import Growth, memory_growth
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.memory import Held, StepMemory
from perfkit.model.run import Run
from perfkit.rules._claims import short
from perfkit.rules._engine import Looked

_LEAST = 16 << 20
_LEAST_GROWTH = 1 << 20
_PART = 0.02
_MANY = 32
_SHARES = (0.0, 0.5, 1.0)
_METHOD = "one addition per parameter at 5, 7 and 10 µs, of which none, half and all delay the step"


def gradient_not_freed(run: Run) -> Looked:
    """One finding per thing that is kept.

    Raises:
        NotApplicable: nobody recorded what was alive, neither in a step nor after the steps.
        NotObservable: only after the steps, and after too few of them.
    """
    if run.memory is None:
        raise NotApplicable("nobody recorded what was alive on the device")
    growth, parts = _growth(run), []
    found: list[Finding] = []
    step = run.memory.step
    if step is not None:
        parts.append(f"a step with a peak of {units.nbytes(step.peak_bytes)}")
        found += _of_step(step, growth)
    if growth is not None:
        parts.append(f"memory in use at the end of {growth.steps} steps")
        peak = step.peak_bytes if step is not None else growth.last_bytes
        if growth.per_step >= _LEAST_GROWTH and growth.per_step >= _PART * peak / growth.steps:
            found.append(_grows(run, growth, step))
    if not parts:
        raise NotObservable("memory in use was read at the end of too few steps")
    return Looked(", ".join(parts), tuple(found))


def _growth(run: Run) -> Growth | None:
    try:
        return memory_growth(run)
    except NotObservable:
        return None


def _of_step(step: StepMemory, growth: Growth | None) -> Iterator[Finding]:
    least = max(_LEAST, _PART * step.peak_bytes)
    zeroed, left = (sum(h.nbytes for h in some) for some in (step.zeroed, step.left))
    if zeroed >= least or sum(held.tensors for held in step.zeroed) >= _MANY:
        yield _in_zeros(step.zeroed, zeroed)
    if step.stale_bytes >= least:
        yield _stale(step)
    grows = growth is not None and growth.per_step >= _LEAST_GROWTH
    if left >= least and not (grows and step.trained):  # else it is told as what grows
        yield _graph(step, left)


def _in_zeros(zeroed: Sequence[Held], nbytes: int) -> Finding:
    tensors = sum(each.tensors for each in zeroed)
    parts = zip(LAUNCH_NS, _SHARES, strict=True)
    low, likely, high = (round(tensors * ns * share) for ns, share in parts)
    return Finding(
        title=f"{tensors} gradients, {units.nbytes(nbytes)}, are filled with zeros instead of let go",
        place=zeroed[0].place,
        evidence={"gradients": tensors, "nbytes": nbytes},
        saving=Saving(low, likely, high, _METHOD),
        fix="Call zero_grad(set_to_none=True), which is the default since torch 2.0",
        confidence="certain",
    )


def _stale(step: StepMemory) -> Finding:
    when = "during a forward that nobody trains with"
    fix = "Call zero_grad() once training is over, before the evaluation"
    if step.trained:
        when = "during the forward, until zero_grad lets them go"
        fix = "Call zero_grad() right after the optimizer's step, before the next forward"
    return Finding(
        title=f"{units.nbytes(step.stale_bytes)} of old gradients lie in memory {when}",
        place=step.dropped_at,
        evidence={"nbytes": step.stale_bytes, "peak_bytes": step.peak_bytes},
        fix=fix,
        confidence="likely",
    )


def _graph(step: StepMemory, nbytes: int) -> Finding:
    most = step.left[0]
    fix = (
        "Drop retain_graph=True from the last backward, keep outputs and losses detached "
        "(loss.detach()), and run what is not trained under torch.no_grad()"
    )
    what = "saved for the backward outlive their step"
    if not step.trained:
        fix = "Run what is not trained under torch.inference_mode() (or torch.no_grad())"
        what = "are saved for a backward that never comes"
    return Finding(
        title=f"{units.nbytes(nbytes)} of activations {what}{_most(most)}",
        place=most.place,
        evidence={
            "nbytes": nbytes,
            "tensors": sum(each.tensors for each in step.left),
            "peak_bytes": step.peak_bytes,
            "module": most.module,
        },
        fix=fix,
        confidence="certain" if step.trained else "likely",
    )


def _grows(run: Run, growth: Growth, step: StepMemory | None) -> Finding:
    left = step.left if step is not None else ()
    lines = kept_graphs(_files(run)) if left else ()
    nbytes = sum(each.nbytes for each in left)
    place = lines[0] if lines else left[0].place if left else None
    why = ""
    if lines:
        why = f": {short(lines[0])} keeps a result with its graph"
    elif left:
        why = f", of which {units.nbytes(nbytes)} were saved for a backward"
    return Finding(
        title=f"Memory in use grows by {units.nbytes(growth.per_step)} per step{why}",
        place=place,
        evidence={
            "per_step_bytes": growth.per_step,
            "steps": growth.steps,
            "first_bytes": growth.first_bytes,
            "last_bytes": growth.last_bytes,
            "saved_bytes": nbytes,
            "kept_at": ", ".join(map(short, lines)) or None,
        },
        fix="Keep results of a step detached (loss.detach()), drop retain_graph=True, and clear lists "
        "of outputs",
        confidence="certain" if lines else "likely" if left else "low",
    )


def _files(run: Run) -> Iterator[str]:
    """Files of the program: those outside of modules, where the loop is, first."""
    places = [(row.module is not None, row.place) for row in run.costs if row.place is not None]
    for _, place in sorted(places, key=lambda pair: pair[0]):
        yield place.file


def _most(held: Held) -> str:
    where = f" at {short(held.place)}" if held.place else ""
    return f", most by {held.module or 'no module'}{where}"
