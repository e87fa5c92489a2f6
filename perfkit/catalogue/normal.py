"""Random numbers with a tensor of standard deviations.

**Synchronises**: `torch.normal(mean, std)` with `std` on the device, twice: it checks that
all are non-negative, and again in the kernel (ATen DistributionTemplates.h).

**Looks alike, does not**: `mean + std * torch.randn_like(std)`.

**Instead**: that expression.
"""

from __future__ import annotations

from collections.abc import Callable

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "mean + std * torch.randn_like(std)"


def _std(position: int) -> Callable[[Call], Seen | None]:
    def rule(call: Call) -> Seen | None:
        return Seen(2) if call.on_device(call.arg(position, "std")) else None

    return rule


OPS = {"aten::normal.Tensor_Tensor": _std(1), "aten::normal.float_Tensor": _std(1)}
