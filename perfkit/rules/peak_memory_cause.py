"""The peak of device memory, and which lines hold what is alive then.

What it does
    Takes the moment of a step at which most is alive on the device, and adds up what that is:
    parameters, gradients, optimizer state, activations that autograd saved for the backward,
    temporaries, inputs, and what earlier steps left. It names the largest part and the line and the
    module that hold most of it. It speaks up where the peak takes at least half of the device's
    memory, or, where nobody knows how much that is, at least 256 MiB.

Why it hurts
    The peak, not the average, decides which batch, sequence or model still fits. A larger batch is
    often the cheapest way to make a step that is bound by launches efficient.

How the saving is estimated
    It is not: memory has no time. The evidence is bytes of storages, each counted once. Live they are
    exact, also without a GPU, but for what the allocator rounds up (512 bytes, blocks of 2 MiB) and what
    kernels take for themselves. From a trace categories follow from when memory was freed.

When not to act
    When the batch is as large as it should be and nothing else wants the memory.
"""

from __future__ import annotations

from perfkit.analysis.peak_memory import PeakMemory, peak_memory
from perfkit.base import units
from perfkit.model.diagnosis import Finding
from perfkit.model.memory import Category, Held
from perfkit.model.run import Run
from perfkit.model.table import Cell
from perfkit.rules._claims import short
from perfkit.rules._engine import Looked

_FULL = 0.5
_TOP = 3
_CALLED: dict[Category, str] = {
    "parameters": "parameters and buffers",
    "gradients": "gradients",
    "optimizer state": "the optimizer's state",
    "saved for backward": "activations saved for the backward",
    "temporaries": "temporaries",
    "inputs": "inputs",
    "kept from before": "what lay there before the step",
}
_FIXES: dict[Category, str] = {
    "parameters": "Hold them in bfloat16, or shard them (FSDP)",
    "gradients": "Let them go with zero_grad(set_to_none=True) right after the optimizer's step, or "
    "shard them (FSDP)",
    "optimizer state": "Shard it (ZeroRedundancyOptimizer, FSDP), or take an optimizer that keeps "
    "less of it (Adafactor, 8-bit states)",
    "saved for backward": "Save less: autocast to bfloat16, attention without a score matrix, "
    "checkpointed blocks, or a smaller batch with accumulated gradients",
    "temporaries": "Let the line work in parts or in place; an optimizer's temporaries go with "
    "fused=True",
    "inputs": "Copy fewer batches ahead, and in the narrowest type",
    "kept from before": "Look for what earlier steps left: outputs, losses and caches that are still "
    "referenced",
}


def peak_memory_cause(run: Run) -> Looked:
    """At most one finding, about the largest part of the peak.

    Raises:
        NotApplicable: nobody recorded what was alive.
        NotObservable: a trace did, without addresses.
    """
    peak = peak_memory(run)
    at = f"a peak of {units.nbytes(peak.step.peak_bytes)}{_of_capacity(peak)}"
    return Looked(at, (_finding(peak),) if peak.short(_FULL) else ())


def _finding(peak: PeakMemory) -> Finding:
    step = peak.step
    category, nbytes = next(iter(peak.categories.items()))
    most = peak.largest(category)
    return Finding(
        title=(
            f"{units.nbytes(nbytes)} of {units.nbytes(step.peak_bytes)} alive at the peak are "
            f"{_CALLED[category]}{_by(most)}"
        ),
        place=most.place or step.place,
        evidence=_evidence(peak, category),
        fix=_FIXES[category],
        confidence="likely" if peak.full is not None else "low",
    )


def _by(most: Held) -> str:
    """Who holds most: `, 32 MiB of them by Decoder.layers.0 at model.py:88`."""
    if most.place is None and most.module is None:
        return ""
    who = f" by {most.module}" if most.module else ""
    where = f" at {short(most.place)}" if most.place else ""
    return f", {units.nbytes(most.nbytes)} of them{who}{where}"


def _evidence(peak: PeakMemory, category: Category) -> dict[str, Cell]:
    step = peak.step
    found: dict[str, Cell] = {"peak_bytes": step.peak_bytes, "device_bytes": peak.capacity}
    found |= {f"{name}_bytes".replace(" ", "_"): n for name, n in peak.categories.items()}
    found["at"] = f"{step.op or 'unknown'} at {short(step.place)}"
    found["largest"] = "; ".join(
        map(_line, [h for h in step.held if h.category == category][:_TOP])
    )
    found["source"] = "live" if peak.live else "trace"
    return found


def _line(held: Held) -> str:
    parts = [units.nbytes(held.nbytes), held.op, held.module, held.place and short(held.place)]
    return " ".join(part for part in parts if part)


def _of_capacity(peak: PeakMemory) -> str:
    if peak.full is None:
        return " (how much the device has is not known)"
    return f", {units.share(peak.full)} of the device's {units.nbytes(peak.capacity)}"
