"""A tensor formatted for people.

**Synchronises**: `print(t)`, `repr(t)`, `str(t)` and f-strings of CUDA tensors: several reads each
(finiteness, minimum, maximum, then every element shown).

**Looks alike, does not**: the same on CPU tensors; printing `.shape`, `.dtype` or `.device`.

**Instead**: print only every N steps, and print a copy fetched once.
"""

from __future__ import annotations

DIRECTION = "d2h"
FIX = "print every N steps, from one copy fetched with .cpu()"
INSIDE = ("_tensor_str.py",)
