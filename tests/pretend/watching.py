"""What the pretence's tests share."""

from __future__ import annotations

from collections.abc import Callable

from perfkit.detectors.evidence import Evidence, listening
from perfkit.model.syncs import Sync
from perfkit.pretend import pretend_cuda


def syncs(function: Callable[[], object]) -> list[Sync]:
    evidence = Evidence()
    with pretend_cuda(), listening(evidence):
        function()
    return list(evidence.records())


def counts(function: Callable[[], object]) -> dict[str, int]:
    found: dict[str, int] = {}
    for sync in syncs(function):
        found[sync.kind] = found.get(sync.kind, 0) + sync.count
    return found
