"""Blocks keep activations that cost little to compute again, while memory is short.

What it does
    Looks at what is alive at the peak where activations saved for the backward are at least 40 % of
    it, and groups them by the blocks of the model, elements of one list of modules. It speaks up where
    checkpointing all blocks of a list would free at least a fifth of the peak, and where memory is
    short: the peak takes 70 % of the device, or, where its size is not known, at least 256 MiB.

Why it hurts
    It does not, until memory sets the batch size or the sequence. Then every block holds its
    activations from its forward to its backward, although one at a time would do.

How the saving is estimated
    In bytes only: what the blocks save and made themselves, one block left out, because one at a time
    is computed again. The price is time, told as evidence: the floors of the blocks' forwards on the
    device that the report speaks of. A step becomes slower, never faster, for the same batch.

When not to act
    Where everything fits, for inference, and where a fused attention or bfloat16 would save the same
    bytes without computing anything twice.
"""

from __future__ import annotations

from perfkit.analysis.checkpoint_blocks import Blocks, checkpoint_blocks
from perfkit.analysis.peak_memory import PeakMemory, peak_memory
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules._engine import Looked

_FULL = 0.7
_SAVED = 0.4
_FREED = 0.2
_DEAR = 0.35

FIX = (
    "Checkpoint these blocks without reentrance, as many as the batch you want needs "
    "(perfkit.rewrites.checkpointed_block)"
)


def checkpoint_candidate(run: Run) -> Looked:
    """At most one finding, about the list of blocks that would free most.

    Raises:
        NotApplicable: nobody recorded what was saved, no backward ran in the step, or it has no
            repeated blocks that save anything.
        NotObservable: only a trace recorded it, without addresses or without paths of modules.
    """
    peak = peak_memory(run)
    if not peak.step.trained:
        raise NotApplicable("no backward ran in the step that was looked at")
    saved = peak.step.bytes_of("saved for backward")
    at = (
        f"{units.nbytes(saved)} saved for the backward in a peak of "
        f"{units.nbytes(peak.step.peak_bytes)}"
    )
    if not peak.short(_FULL) or saved < _SAVED * peak.step.peak_bytes:
        return Looked(at)
    if not peak.live:
        raise NotObservable("a trace names no paths of modules, so blocks cannot be told")
    families = checkpoint_blocks(run, peak.step)
    if not families:
        raise NotApplicable("the model has no repeated blocks that save activations")
    worth = [each for each in families if _worth(each, peak)]
    return Looked(at, tuple(_finding(each, peak) for each in worth[:1]))


def _worth(blocks: Blocks, peak: PeakMemory) -> bool:
    cheap = not (blocks.extra_ns and blocks.step_ns) or (blocks.extra_ns <= _DEAR * blocks.step_ns)
    return cheap and blocks.freed_bytes >= _FREED * peak.step.peak_bytes


def _finding(blocks: Blocks, peak: PeakMemory) -> Finding:
    name, most = next(iter(blocks.saved.items()))
    price = ""
    if blocks.extra_ns is not None and blocks.step_ns:
        share = units.share(blocks.extra_ns / blocks.step_ns)
        price = f", for {units.ns(blocks.extra_ns)} more per step ({share} on {blocks.device})"
    return Finding(
        title=(
            f"Checkpointing the {len(blocks.saved)} blocks of {blocks.family} would free "
            f"{units.nbytes(blocks.freed_bytes)} of {units.nbytes(peak.step.peak_bytes)}{price}"
        ),
        place=blocks.place,
        evidence={
            "peak_bytes": peak.step.peak_bytes,
            "device_bytes": peak.capacity,
            "saved_bytes": blocks.saved_bytes,
            "freed_bytes": blocks.freed_bytes,
            "largest": f"{name} saves {units.nbytes(most)}",
            "extra_ns": None if blocks.extra_ns is None else round(blocks.extra_ns),
            "step_ns": None if blocks.step_ns is None else round(blocks.step_ns),
            "device": blocks.device or None,
        },
        fix=FIX,
        rewrite="checkpointed_block",
        confidence="likely" if peak.full is not None else "low",
    )
