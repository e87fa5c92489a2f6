"""Sampling without replacement, in older versions.

**Synchronises**: `multinomial` on the device before torch 2.13, twice: it checks the probabilities on
the host. From 2.13 on (perhaps earlier, so not certain) the checks run on the device.

**Looks alike, does not**: `replacement=True`; torch 2.13 and later; the Gumbel trick.

**Instead**: `(p.log() - torch.empty_like(p).exponential_().log()).argmax(-1)` for one sample.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "upgrade torch, or sample with the Gumbel trick on the device"


def _multinomial(call: Call) -> Seen | None:
    checks_on_device = call.torch_version >= (2, 13)
    replaces = call.arg(2, "replacement", False)
    if checks_on_device or replaces or not call.on_device(call.arg(0, "self")):
        return None
    return Seen(2, certain=False)


OPS = {"aten::multinomial": _multinomial}
