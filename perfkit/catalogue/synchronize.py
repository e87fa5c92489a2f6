"""An explicit wait.

**Synchronises**: `torch.cuda.synchronize`, `Stream.synchronize`, `Event.synchronize`.

**Looks alike, does not**: `wait_stream`, `wait_event`, `Event.record`, `Event.query`: they order
work on the device and return at once.

**Instead**: remove it from the loop; use `wait_stream` or `wait_event` for ordering, and events with
`elapsed_time` outside the step for timing.
"""

from __future__ import annotations

DIRECTION = "none"
FIX = "remove it from the step; wait_stream or wait_event order work without blocking the host"
