"""What a form asks of the device, counted exactly on the pretend one: no GPU, no timer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from perfkit.detectors.evidence import Hit, listening
from perfkit.pretend import pretend_cuda
from perfkit.rewrites import _tree
from perfkit.rewrites._parity import cotangents, forward, gradients
from perfkit.rewrites._rewrite import Form, Inputs


@dataclass(frozen=True)
class Counts:
    """Device operators (views and allocations left out), host-device waits, and copies.

    A host-to-device copy is a copy and not a sync here, although a pageable one blocks the host; a
    read back to the host is a sync. Waits inside a backend's own kernel are not seen.
    """

    device_ops: int
    syncs: int
    copies: int


def count(
    form: Form, inputs: Inputs, stays_on_host: tuple[int, ...] = (), backward: bool = False
) -> Counts:
    """Run a form once on the pretend device and count."""
    hits: list[Hit] = []
    with pretend_cuda() as pretence:
        device = torch.device("cuda")
        moved = tuple(
            argument if index in stays_on_host else _tree.fresh(argument, device=device)
            for index, argument in enumerate(inputs)
        )
        dispatched = -pretence.dispatched
        with listening(hits.append):
            output = forward(form, moved)
        dispatched += pretence.dispatched
        if backward:
            weights = cotangents(output)  # ours, and not the form's: not counted
            dispatched -= pretence.dispatched
            with listening(hits.append):
                gradients(output, moved, weights)
            dispatched += pretence.dispatched
    return tally(dispatched, hits)


def tally(device_ops: int, hits: Iterable[Hit]) -> Counts:
    """What was dispatched, with what waited or copied beside it."""
    copies = syncs = 0
    for hit in hits:
        if hit.direction == "h2d":
            copies += hit.count
        else:
            syncs += hit.count
    return Counts(device_ops, syncs, copies)
