"""A tensor turned into a NumPy array.

**Synchronises**: `t.cpu().numpy()` at the `.cpu()`. `t.numpy()` and `np.asarray(t)` of a CUDA tensor
raise TypeError on a GPU: perfkit reports where a program would do so.

**Looks alike, does not**: `.numpy()` of a CPU tensor shares its memory.

**Instead**: use the torch function of the same name, or copy once to pinned memory with
`non_blocking=True` and wait on an event where the array is needed.
"""

from __future__ import annotations

DIRECTION = "d2h"
FIX = "use the torch function of the same name, or copy once to pinned memory"
