"""Packed sequences.

**Synchronises**: `pack_padded_sequence(enforce_sorted=False)` copies the sorted order to the device
and back; lengths must be on the CPU.

**Looks alike, does not**: `enforce_sorted=True` with batches sorted in the loader.

**Instead**: sort by length in the collate function and use `enforce_sorted=True`.
"""

from __future__ import annotations

DIRECTION = "h2d"
FIX = "sort by length in the collate function and use enforce_sorted=True"
INSIDE = ("nn/utils/rnn.py",)
