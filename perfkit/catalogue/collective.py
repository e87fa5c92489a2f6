"""A collective that the host waits for.

**Synchronises**: `dist.barrier`, object collectives (`all_gather_object`, ...), `.wait()` on the host,
and collectives of host backends such as gloo.

**Looks alike, does not**: NCCL collectives on streams.

**Instead**: remove the barrier; exchange tensors, not objects; let NCCL order the work on streams.
"""

from __future__ import annotations

DIRECTION = "none"
FIX = "remove the barrier, exchange tensors instead of objects"
INSIDE = ("distributed/distributed_c10d.py",)
