"""What the operands of a call were like beyond shape and dtype: padding, masks, repeats, layouts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from perfkit.model.syncs import Frame, Phase

Aspect = Literal["padding", "mask", "cast", "layout"]


@dataclass(frozen=True)
class Operands:
    """Calls at one place whose operands were alike in one aspect, summed over the costed step.

    Attributes:
        aspect: "padding": ids of an embedding with `padding_idx`; "mask": of an attention;
            "cast": into another dtype; "layout": copied only to lie differently in memory.
        op: `aten::embedding`; `scaled_dot_product_attention` where the call itself was seen.
        shape: of the ids, of the mask (or of the scores it went into), or of what was copied.
        what: the structure of the mask ("causal", "padding", "block-diagonal", ..., "not read"), the
            dtypes ("float32 to bfloat16"), the layout ("transposed").
        calls: how many; `repeated`: those that did again what an earlier one had done.
        looked: elements whose values were read, `part`: those that are padding, or masked.
        padded: share of all places that is padding; None where that was not told.
        padded_pairs: share of all pairs of places of one sequence with padding in them; None likewise.
        nbytes: read and written by a copy, all calls together; 0 for other aspects.
        of_parameter: it was a parameter that was cast.
        module, region, phase, place: as in `OpCost`.
    """

    aspect: Aspect
    op: str
    shape: tuple[int, ...]
    what: str
    calls: int
    repeated: int = 0
    looked: int = 0
    part: int = 0
    padded: float | None = None
    padded_pairs: float | None = None
    nbytes: int = 0
    of_parameter: bool = False
    module: str | None = None
    region: str | None = None
    phase: Phase | None = None
    place: Frame | None = None

    @property
    def share(self) -> float | None:
        """The part of what was looked at; None where no value was read."""
        return self.part / self.looked if self.looked else None
