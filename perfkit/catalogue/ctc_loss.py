"""
CTC loss on the device.

**Synchronises**: `F.ctc_loss` builds lengths and offsets on the host and sends them to the device in
every call (ATen LossCTC.cu); CUDA `input_lengths` or `target_lengths` are copied to the host first,
which waits for the stream. Not certain: the cuDNN form copies less.

**Looks alike, does not**: nothing; CPU lengths only save the reads.

**Instead**: keep the lengths on the CPU from the data loader on.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "keep input_lengths and target_lengths on the CPU"
_SENT_EVERY_CALL = 3


def _lengths(call: Call) -> Seen | None:
    if not call.on_device(call.arg(0, "log_probs")):
        return None
    read = sum(call.on_device(call.arg(2 + i, name)) for i, name in enumerate(_LENGTHS))
    return Seen(_SENT_EVERY_CALL + read, certain=False, direction="d2h" if read else "h2d")


_LENGTHS = ("input_lengths", "target_lengths")
OPS = {"aten::_ctc_loss": _lengths, "aten::_ctc_loss.Tensor": _lengths}
