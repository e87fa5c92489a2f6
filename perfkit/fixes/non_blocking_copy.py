"""Do not wait for copies out of pinned memory.

What it does
    In a loop over `DataLoader(..., pin_memory=True)`, `x.to(device)` of a batch becomes
    `x.to(device, non_blocking=True)`; so does `x.cuda()`.

Why it helps
    Pinned memory is what makes a copy that nobody waits for possible; without `non_blocking` the host
    waits all the same.

Why it is safe
    Only for a loader made in the same function, pinned, with torch's own collation, and for batches
    that the loop does not change in place. The copy is ordered before whatever the device does with
    the result, torch keeps the memory until it is done, and the source is on the host, never the target.

When not to act
    Where the loop writes into the host's batch right after moving it.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes import _loaders, _match
from perfkit.fixes._codemod import Change, Example, Fix
from perfkit.fixes._tree import File


def non_blocking_copy(file: File) -> Iterator[Change]:
    """Moves of pinned batches that wait."""
    for loop in file.each(cst.For):
        assert isinstance(loop, cst.For)
        made = _loaders.loader(file, loop.iter)
        if made is None or not _match.true(_match.argument(made, -1, "pin_memory")):
            continue
        for call in _loaders.moves(file, loop):
            few = len([arg for arg in call.args if arg.keyword is None]) <= 1
            if few and not _match.starred(call) and "non_blocking" not in _match.keywords(call):
                yield Change(call, {call: _match.with_keyword(call, "non_blocking", "True")})


_HEAD = "import torch\nfrom torch.utils.data import DataLoader\n\n\ndef f(data, d):\n"
_PINNED = "    loader = DataLoader(data, batch_size=2, pin_memory=True)\n"

FIX = Fix(
    title="non_blocking=True for copies of pinned batches",
    safe=True,
    words=("pin_memory",),
    find=non_blocking_copy,
    answers=("h2d", "unpinned-copy", "PK141"),
    silent=(
        Example(
            "not pinned",
            _HEAD
            + "    loader = DataLoader(data, pin_memory=False)\n    for x in loader:\n        x.to(d)\n",
        ),
        Example(
            "own collation",
            _HEAD
            + _PINNED.replace("True)", "True, collate_fn=g)")
            + "    for x in loader:\n        x.to(d)\n",
        ),
        Example(
            "written right after",
            _HEAD + _PINNED + "    for x in loader:\n        y = x.to(d)\n        x.zero_()\n",
        ),
        Example(
            "a loader from elsewhere", _HEAD + "    for x in data:\n        x.to(d)  # pin_memory\n"
        ),
        Example(
            "on its way back",
            _HEAD + _PINNED + "    for x in loader:\n        y = g(x)\n        y.to(d)\n",
        ),
    ),
    examples=(
        Example(
            "a pair",
            _HEAD + _PINNED + "    for i, (x, y) in enumerate(loader):\n"
            "        x, y = x.to(d), y.to(d)  # move\n        yield x + y\n",
            _HEAD + _PINNED + "    for i, (x, y) in enumerate(loader):\n"
            "        x, y = x.to(d, non_blocking=True), y.to(d, non_blocking=True)  # move\n"
            "        yield x + y\n",
        ),
        Example(
            "a dictionary",
            _HEAD + _PINNED + '    for b in loader:\n        yield b["x"].cuda()\n',
            _HEAD
            + _PINNED
            + '    for b in loader:\n        yield b["x"].cuda(non_blocking=True)\n',
        ),
    ),
)
