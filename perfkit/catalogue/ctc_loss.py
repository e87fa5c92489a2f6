"""CTC loss with lengths on the device.

**Synchronises**: `F.ctc_loss` with CUDA `input_lengths` or `target_lengths`: each is copied to the host.

**Looks alike, does not**: the same with CPU lengths, which is what the kernel wants.

**Instead**: keep the lengths on the CPU from the data loader on.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "keep input_lengths and target_lengths on the CPU"


def _lengths(call: Call) -> Seen | None:
    count = call.on_device(call.arg(2, "input_lengths")) + call.on_device(
        call.arg(3, "target_lengths")
    )
    return Seen(count, certain=False) if count else None


OPS = {"aten::_ctc_loss.Tensor": _lengths}
