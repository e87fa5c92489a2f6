"""Which kernels of matrix products used tensor cores, told by their names.

The libraries say in a kernel's name what it computes with: `tensorop`, `wmma`, `xmma`, the shapes of
the instructions (`s16816`, `s1688`, `h884`), Hopper's and Blackwell's `nvjet`, rocBLAS's `MI16x16`
are matrix units; `sgemm`, `hgemm`, `simt` and `scudnn` without any of these are not. float32 on
tensor cores is named `tf32`, or has the 1688 instruction and no other dtype. Products with a single
vector (`gemv`) move memory and are neither. A name that says nothing counts as neither.

Convolutions are told apart by the operator that launched the kernel: whether they may use TF32 is a
setting of its own, and it is on unless somebody turned it off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from perfkit.analysis.kernels import KernelStat, kernels
from perfkit.analysis.trace_reading import trace_reading
from perfkit.model.events import Events

Units = Literal["tensor cores", "TF32", "float32", "narrow"]
"""What computes: tensor cores (of which TF32 ones), or plain arithmetic in float32 or narrower."""

_TENSOR = re.compile(
    r"tensorop|wmma|xmma|gmma|nvjet|[shi]_?(?:884|1688|16816|16832|161616)|_MI\d+x\d+|mfma"
    r"|flash|fmha"
)
_TF32 = re.compile(r"tf32|s1688(?:gemm|fprop|dgrad|wgrad)")
_NARROW = re.compile(r"(?:^|_)(?:bf16|f16|fp16|h)_")
_PLAIN = re.compile(r"simt|(?:^|_)[sdh]gemm|scudnn|hcudnn|gemmSN|magma_\w*gemm")
_HALF = re.compile(r"hgemm|hcudnn|half|bfloat16|bf16|fp16")
_DOUBLE = re.compile(r"dgemm|double")


@dataclass(frozen=True)
class ProductKernels:
    """Kernels of matrix products and convolutions inside the steps, the longest first.

    Attributes:
        by_units: (what computes, kernel, whether a convolution launched it).
        steps: how many steps the times are spread over.
    """

    by_units: tuple[tuple[Units, KernelStat, bool], ...]
    steps: int

    def of(self, *units: Units, convolutions: bool) -> tuple[KernelStat, ...]:
        """Kernels that compute with one of these, of convolutions or of products."""
        return tuple(k for u, k, conv in self.by_units if u in units and conv is convolutions)

    def time_ns(self, *units: Units, convolutions: bool) -> float:
        """Their time per step."""
        return summed_ns(self.of(*units, convolutions=convolutions)) / self.steps


def product_kernels(events: Events) -> ProductKernels:
    """The product kernels of a trace; none where it has no device work."""
    reading = trace_reading(events)
    found = kernels(events, reading.steps, reading.work, reading.owner)
    named = [(units_of(stat.name), stat, "conv" in (stat.op or "")) for stat in found.by_name]
    return ProductKernels(
        tuple((units, stat, conv) for units, stat, conv in named if units is not None),
        found.steps,
    )


def units_of(name: str) -> Units | None:
    """What a kernel computes with by its name; None where it does not say, or is no product."""
    if _TENSOR.search(name) and "simt" not in name:
        is_tf32 = _TF32.search(name) and not _NARROW.search(name)
        return "TF32" if is_tf32 else "tensor cores"
    if not _PLAIN.search(name) or _DOUBLE.search(name):
        return None
    return "narrow" if _HALF.search(name) else "float32"


def summed_ns(stats: Iterable[KernelStat]) -> int:
    """Time of all calls of these kernels, all steps together."""
    return sum(stat.time_ns for stat in stats)
