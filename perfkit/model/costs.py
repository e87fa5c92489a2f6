"""What operators cost, per place: FLOPs and bytes, known or not, beside the time that was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from perfkit.model.syncs import Frame, Phase

Unit = Literal["matmul", "vector"]


@dataclass(frozen=True)
class OpCost:
    """Calls of one operator with the same shapes at the same place, summed over the costed steps.

    Attributes:
        op: `aten::addmm`.
        signature: shapes and dtypes of the operands for people: "bf16[512,1024] x bf16[1024,64]".
        calls: how many; the sums below are over all of them.
        flops, read, written: None where `unknown` says why; never 0 for "not known".
        unit, dtype: of the arithmetic, see `costs._call.Cost`; they pick the peak.
        unknown: why there is no cost; empty where there is one.
        host_ns: host time of the operator itself, without costed children; None if not measured.
        device_ns: time of the kernels it launched; None where no device was observed.
        kernels: how many kernels that were; None where not observed.
        phase, module, region, place: where it was called; None where not recorded.
        recomputed: by a checkpoint, in the backward; False where nobody looked.
    """

    op: str
    signature: str
    calls: int
    flops: int | None = None
    read: int | None = None
    written: int | None = None
    unit: Unit = "vector"
    dtype: str = ""
    unknown: str = ""
    host_ns: int | None = None
    device_ns: int | None = None
    kernels: int | None = None
    phase: Phase | None = None
    module: str | None = None
    region: str | None = None
    place: Frame | None = None
    recomputed: bool = False

    @property
    def nbytes(self) -> int | None:
        """Bytes read and written."""
        if self.read is None or self.written is None:
            return None
        return self.read + self.written

    @property
    def intensity(self) -> float | None:
        """Arithmetic intensity in FLOP per byte; None where unknown or no byte moves."""
        return self.flops / self.nbytes if self.flops is not None and self.nbytes else None
