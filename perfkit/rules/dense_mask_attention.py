"""Attention gets a dense mask although the mask has a structure that need not be written out.

What it does
    Looks at the masks of `scaled_dot_product_attention`, and at square scores that go into a softmax
    with -inf among them, and recognises causal, block-diagonal and windowed masks, and those that mask
    nothing. Takes the operators of the same module on all pairs of queries and keys, and those that
    make the mask. Speaks up where they take at least a twentieth of the step. On a real device masks
    are not read: there, and in a trace, only that an attention has one is told.

Why it hurts
    With a dense mask the fused kernel that skips masked blocks cannot be taken: every pair is
    computed, the mask itself grows with the square of the length, and by hand so do the scores, which
    travel through memory in every operator.

How the saving is estimated
    What stays is the arithmetic on pairs that are not masked, without anything in between. 25, 50 and
    90 % of the rest are gained, of an attention whose mask is not known 0, 10 and 50 % of its time;
    at low nothing where the device does not limit the step.
    Pairs that only padding hides are left to padding_waste. fp32_matmul_without_tf32 and
    fusible_elementwise_chain may tell the same operators with another remedy: do not add them.

When not to act
    When the step waits for its launches: no kernel helps then, and the rule keeps silent. When the
    mask holds numbers (a bias), it is needed. FlexAttention has to be compiled and is for masks that
    none of the simpler forms can say.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from perfkit.analysis.roofline import Floor
from perfkit.analysis.run_floors import run_floors
from perfkit.analysis.sequence_work import is_of_pairs, makes_mask, summed_ns
from perfkit.analysis.step_floor import StepFloor
from perfkit.analysis.tensor_cores import time_of
from perfkit.base import units
from perfkit.base.errors import NotApplicable
from perfkit.costs._index import family
from perfkit.model.diagnosis import Finding
from perfkit.model.operands import Operands
from perfkit.model.run import Run
from perfkit.rules import _operands, _places
from perfkit.rules._engine import Looked

_SHARES = (0.25, 0.5, 0.9)
_UNREAD = (0.0, 0.1, 0.5)
_METHOD = "attention's time beyond its arithmetic on pairs that are not masked: 25, 50 and 90 %"
_METHOD_UNREAD = "0, 10 and 50 % of the attention's time: its mask was not read"
_SDPA = re.compile(r"aten::(_?scaled_dot_product(_efficient|_cudnn|_math)?_attention(_math)?)")
_MASKED = 4
"""Operands of an attention with a mask: the queries, keys and values before it."""

_FIXES = {
    "causal": "Leave the mask out and say is_causal=True",
    "causal and padding": "Pad on the right, leave the mask out and say is_causal=True: rows of tokens "
    "never see padding behind them",
    "block-diagonal and causal": "Attend within each block: varlen attention, or buckets of like length "
    "with is_causal=True: perfkit.rewrites.block_diagonal_attention",
    "block-diagonal": "Attend within each block: varlen or nested attention, or buckets of like length",
    "window": "Use a kernel that knows windows (flash_attn's window_size), or attend within chunks",
    "nothing masked": "Leave the mask out: it masks nothing",
}
_REWRITES = {"block-diagonal and causal": "block_diagonal_attention"}
FIX_UNREAD = (
    "Look at what the mask says: is_causal=True for a causal one, attention within each block for "
    "several sequences in one, none at all where nothing is masked"
)


@dataclass(frozen=True)
class _Attention:
    """Masks of one structure and size in modules alike, and their operators."""

    masks: tuple[Operands, ...]
    rows: tuple[Floor, ...]

    @property
    def masked(self) -> float:
        looked = sum(mask.looked for mask in self.masks)
        return sum(mask.part for mask in self.masks) / looked if looked else 0.0

    @property
    def padded_pairs(self) -> float:
        return max(mask.padded_pairs or 0.0 for mask in self.masks)

    @property
    def needed_ns(self) -> float:
        """Products on pairs that are not masked, nothing else."""
        products = (row for row in self.rows if row.cost.unit == "matmul")
        return sum(min(row.compute_ns or 0.0, time_of(row)) * (1 - self.masked) for row in products)


def dense_mask_attention(run: Run) -> Looked:
    """One finding per structure and module, repeated layers together.

    Raises:
        NotApplicable: no step was costed, or it has no attention with a mask.
        NotObservable: nobody looked at masks, and no fused attention has one; no device's peaks are
            known.
    """
    floor = run_floors(run).first
    unread = [row for row in floor.rows if _has_mask(row)]
    masks = _operands.operands(run, "mask") if run.operands is not None or not unread else ()
    read = [mask for mask in masks if mask.what in _FIXES]
    if not masks and not unread:
        raise NotApplicable("no attention with a mask was seen")
    step = f"a step takes {units.ns(floor.step_ns)} on {floor.peaks.device}"
    least = _operands.SHARE * floor.step_ns
    if any(mask.what != "not read" for mask in masks):
        found = [_finding(each, floor) for each in _attentions(read, floor)]
        kinds = ", ".join(dict.fromkeys(mask.what for mask in masks))
        at = f"masks of attention: {kinds}; {step}"
    else:
        found = [_unread(rows, floor) for rows in _by_module(unread)]
        at = f"attention with a mask that was not read; {step}"
    return Looked(at, tuple(finding for finding in found if _ns(finding) >= least))


def _has_mask(row: Floor) -> bool:
    cost = row.cost
    named = _SDPA.fullmatch(cost.op) is not None  # others have offsets of sequences in that place
    return named and cost.signature.count("[") >= _MASKED


def _ns(finding: Finding) -> int:
    value = finding.evidence["attention_ns"]
    return value if isinstance(value, int) else 0


def _attentions(masks: list[Operands], floor: StepFloor) -> list[_Attention]:
    groups: dict[tuple[str | None, str, tuple[int, ...]], list[Operands]] = defaultdict(list)
    for mask in masks:
        groups[_operands.module_of(mask), mask.what, mask.shape[-2:]].append(mask)
    taken: set[int] = set()
    found = []
    for (_, _, _), mine in groups.items():
        modules = {mask.module for mask in mine}
        rows = [
            (number, row)
            for number, row in enumerate(floor.rows)
            if number not in taken and _belongs(row, mine[0], modules)
        ]
        taken.update(number for number, _ in rows)
        found.append(_Attention(tuple(mine), tuple(row for _, row in rows)))
    return found


def _belongs(row: Floor, mask: Operands, modules: set[str | None]) -> bool:
    queries, keys = mask.shape[-2:]
    if row.cost.module in modules and family(row.cost.op) == "attention":
        return True
    if queries < 2:
        return False
    if makes_mask(row.cost, queries, keys):
        return True
    return row.cost.module in modules and is_of_pairs(row.cost, queries, keys)


def _finding(found: _Attention, floor: StepFloor) -> Finding:
    mask = max(found.masks, key=lambda each: each.calls)
    now = summed_ns(found.rows) / floor.steps
    gain = max(0.0, now * (1 - found.padded_pairs) - found.needed_ns / floor.steps)
    by_hand = "softmax" in mask.op
    queries, keys = mask.shape[-2:]
    return Finding(
        title=f"Attention {'by hand ' if by_hand else ''}takes {units.ns(now)} per step with a dense "
        f"mask that is {_told(mask.what)}: {units.share(found.masked)} of all pairs are masked",
        place=mask.place,
        code=_places.code_at(mask.place),
        evidence={
            "structure": mask.what,
            "masked": found.masked,
            "queries_x_keys": f"{queries} x {keys}",
            "attentions_per_step": sum(each.calls for each in found.masks) / floor.steps,
            "attention_ns": round(now),
            "nbytes": round(sum(row.cost.nbytes or 0 for row in found.rows) / floor.steps),
            "module": _operands.module_of(mask),
            "device": floor.peaks.device,
        },
        saving=_operands.device_saving(gain, _SHARES, _METHOD, floor),
        fix=_FIXES[mask.what],
        rewrite=_REWRITES.get(mask.what),
        confidence="low",
    )


def _told(what: str) -> str:
    return {"nothing masked": "all true", "window": "a window"}.get(what, what)


def _by_module(rows: list[Floor]) -> list[list[Floor]]:
    groups: dict[str | None, list[Floor]] = defaultdict(list)
    for row in rows:
        groups[row.cost.module].append(row)
    return list(groups.values())


def _unread(rows: list[Floor], floor: StepFloor) -> Finding:
    now = summed_ns(rows) / floor.steps
    first = max(rows, key=time_of).cost
    return Finding(
        title=f"Attention with a dense mask takes {units.ns(now)} per step",
        place=first.place,
        evidence={
            "attention_ns": round(now),
            "first": f"{first.op} {first.signature}",
            "module": first.module,
            "device": floor.peaks.device,
        },
        saving=_operands.device_saving(now, _UNREAD, _METHOD_UNREAD, floor),
        fix=FIX_UNREAD,
        confidence="low",
    )
