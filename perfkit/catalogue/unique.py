"""Distinct values: the size of the result depends on values.

**Synchronises**: `unique`, `unique_consecutive` and their forms with `dim`, at least once (thrust and
cub kernels wait for the count).

**Looks alike, does not**: `sort`, `searchsorted`, `isin`.

**Instead**: sort once and compare neighbours when only membership or run boundaries are needed; do it
in the data loader when the values are known there.
"""

from __future__ import annotations

from perfkit.catalogue._call import once_on_device

DIRECTION = "d2h"
FIX = "sort and compare neighbours, or compute it in the data loader"


OPS = {
    "aten::_unique2": once_on_device,
    "aten::_unique": once_on_device,
    "aten::unique_dim": once_on_device,
    "aten::unique_consecutive": once_on_device,
    "aten::unique_dim_consecutive": once_on_device,
}
