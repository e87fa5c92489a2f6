"""Batches are padded to their longest sequence, and much of the arithmetic is on padding.

What it does
    Reads how many ids of an embedding with `padding_idx` are padding, and how many keys an attention
    mask hides from every query. Then takes the operators whose sizes are those of the padded batch.
    Speaks up from a tenth of padding, where the work on it takes at least a twentieth of the step.
    Values are read only where that makes nobody wait: on the pretend device and on a CPU.

Why it hurts
    Linear layers compute on every place, attention on every pair of places: half of padding is half of
    the one and three quarters of the other, and a mask throws the results away.

How the saving is estimated
    The time of these operators (measured where a GPU was, else their floors) times the share of
    places, for attention of pairs, that is padding: a quarter, two thirds and all of it, because
    packing and unpacking copy; at low nothing where the device does not limit the step. Pairs that a
    causal mask hides are told by dense_mask_attention. What fp32_matmul_without_tf32 and its like
    gain on these operators overlaps with it: do not add them.

When not to act
    When shapes must not change (CUDA graphs, compiled code): sort by length into few padded sizes
    instead. When the rest of the batch is what fills the device: less work is then no less time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from perfkit.analysis.run_floors import run_floors
from perfkit.analysis.sequence_work import SequenceWork, sequence_work, summed_ns
from perfkit.analysis.step_floor import StepFloor
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.model.operands import Operands
from perfkit.model.run import Run
from perfkit.rules import _operands, _places
from perfkit.rules._engine import Looked

_LEAST = 0.1
_SHARES = (0.25, 2 / 3, 1.0)
_METHOD = "time of the padded operators times the share that is padding: 25, 67 and 100 % of it"

FIX = (
    "Sort batches by length, or pack the sequences: token-wise layers on the tokens alone, varlen "
    "attention between them: perfkit.rewrites.packing"
)


@dataclass(frozen=True)
class _Batch:
    """What told the padding of a batch of this many sequences and places."""

    sequences: int
    longest: int
    told_by: Operands

    @property
    def padded(self) -> float:
        return self.told_by.padded or 0.0

    @property
    def padded_pairs(self) -> float:
        return self.told_by.padded_pairs or 0.0


def padding_waste(run: Run) -> Looked:
    """One finding per size of a padded batch.

    Raises:
        NotApplicable: no step was costed, or nothing in it tells what is padding.
        NotObservable: nobody looked at operands, or values could not be read.
    """
    rows = _operands.operands(run, "padding", "mask")
    if rows and all(row.what == "not read" for row in rows):
        raise NotObservable("reading masks and ids on the device would make the host wait")
    batches = _batches(rows)
    if not batches:
        raise NotApplicable("no embedding with padding_idx and no mask tells what is padding")
    floor = run_floors(run).first
    worth = [batch for batch in batches if batch.padded >= _LEAST]
    found = list(_findings(worth, floor))
    most = max(batch.padded for batch in batches)
    least = _operands.SHARE * floor.step_ns
    return Looked(
        f"{units.share(most)} of a batch is padding; a step takes {units.ns(floor.step_ns)} "
        f"on {floor.peaks.device}",
        tuple(f for f in found if f.saving is not None and f.saving.high_ns >= least),
    )


def _batches(rows: Iterable[Operands]) -> tuple[_Batch, ...]:
    """By length; of several that tell of one, ids before masks, as these may lack the batch."""
    found: dict[int, _Batch] = {}
    for row in sorted(rows, key=lambda row: (row.aspect != "padding", -len(row.shape))):
        if row.padded is None or len(row.shape) < 2:
            continue
        sequences = row.shape[0] if row.aspect == "padding" or len(row.shape) > 2 else 1
        found.setdefault(row.shape[-1], _Batch(sequences, row.shape[-1], row))
    return tuple(found.values())


def _findings(batches: Iterable[_Batch], floor: StepFloor) -> Iterator[Finding]:
    """What belongs to one batch is not counted for the next."""
    left = list(floor.rows)
    for batch in batches:
        work = sequence_work(left, batch.sequences, batch.longest)
        taken = {id(row) for row in (*work.places, *work.pairs)}
        left = [row for row in left if id(row) not in taken]
        yield _finding(batch, work, floor)


def _finding(batch: _Batch, work: SequenceWork, floor: StepFloor) -> Finding:
    waste = _waste(batch, work) / floor.steps
    told_by = batch.told_by
    return Finding(
        title=f"{units.share(batch.padded)} of a batch of {batch.sequences} x {batch.longest} is padding: "
        f"{units.ns(waste)} of work per step",
        place=told_by.place,
        code=_places.code_at(told_by.place),
        evidence={
            "padded": batch.padded,
            "padded_pairs": batch.padded_pairs,
            "told_by": told_by.op,
            "linear_ns": round(summed_ns(work.places) / floor.steps),
            "pairs_ns": round(summed_ns(work.pairs) / floor.steps),
            "step_ns": round(floor.step_ns),
            "device": floor.peaks.device,
        },
        saving=_operands.device_saving(waste, _SHARES, _METHOD, floor),
        fix=FIX,
        rewrite="packing",
        confidence="low",
    )


def _waste(batch: _Batch, work: SequenceWork) -> float:
    return summed_ns(work.places) * batch.padded + summed_ns(work.pairs) * batch.padded_pairs
