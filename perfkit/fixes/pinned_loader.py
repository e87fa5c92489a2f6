"""Pin the memory of batches that are copied without waiting.

What it does
    Where a loop moves its batches with `non_blocking=True`, their `DataLoader` gets `pin_memory=True`.

Why it helps
    Out of ordinary memory `non_blocking` does nothing: the host waits for each copy.

Why it is not safe
    A data set that already gives tensors of a device cannot be pinned; pinned memory is taken from the
    machine as a whole, and a thread of its own fills it.

When not to act
    On a host with little memory, or with batches of a few bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes import _loaders, _match
from perfkit.fixes._codemod import Change, Example, Fix
from perfkit.fixes._tree import File


def pinned_loader(file: File) -> Iterator[Change]:
    """Loaders without pinned memory whose batches are moved without waiting."""
    for loop in file.each(cst.For):
        assert isinstance(loop, cst.For)
        made = _loaders.loader(file, loop.iter)
        if made is None or "pin_memory" in _match.keywords(made):
            continue
        calls = _loaders.moves(file, loop)
        moved = [c for c in calls if _match.true(_match.argument(c, -1, "non_blocking"))]
        if moved:
            note = "check that the data set gives tensors on the host"
            new = _match.with_keyword(made, "pin_memory", "True")
            yield Change(made, {made: new}, safe=False, note=note, mends=tuple(moved))


_HEAD = "import torch\nfrom torch.utils.data import DataLoader\n\n\ndef f(data, d):\n"
_LOOP = "    for x in loader:\n        yield x.to(d, non_blocking=True)\n"

FIX = Fix(
    title="pin_memory=True where batches are copied with non_blocking=True",
    safe=False,
    words=("non_blocking",),
    find=pinned_loader,
    answers=("h2d_pageable_async", "h2d", "unpinned-copy", "PK144", "PK204"),
    silent=(
        Example("pinned", _HEAD + "    loader = DataLoader(data, pin_memory=True)\n" + _LOOP),
        Example("said no", _HEAD + "    loader = DataLoader(data, pin_memory=False)\n" + _LOOP),
        Example(
            "waits anyway",
            _HEAD + "    loader = DataLoader(data)\n"
            "    for x in loader:\n        yield x.to(d)  # non_blocking\n",
        ),
    ),
    examples=(
        Example(
            "plain",
            _HEAD + "    loader = DataLoader(data, num_workers=4)\n" + _LOOP,
            _HEAD + "    loader = DataLoader(data, num_workers=4, pin_memory=True)\n" + _LOOP,
            safe=False,
        ),
    ),
)
