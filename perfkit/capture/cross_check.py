"""What the detectors of deep steps found against the waits that a GPU trace of light steps shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from perfkit.model.run import Gap
from perfkit.model.syncs import Sync

_TOLERANCE = 0.5  # per step: steps differ a little from one another
# The trace knows how the host waited, the detectors why; copies have two names for one thing.
_ALIKE = {"d2h": "copy", "h2d": "copy", "h2d_pageable_async": "copy", "item": "read", "tolist": "read",
          "numpy": "read", "print": "read", "tensor_of_scalars": "read"}  # fmt: skip


def disagreements(
    found: Iterable[Sync], deep_steps: int, traced: Iterable[Sync], light_steps: int
) -> tuple[Gap, ...]:
    """One gap per kind of wait whose counts per step differ between the two.

    Syncs outside steps are left out. Nothing is compared where either measured no step.
    """
    if not deep_steps or not light_steps:
        return ()
    detectors = _per_step(found, deep_steps)
    trace = _per_step(traced, light_steps)
    return tuple(
        Gap(
            f"agreement on {kind} waits",
            f"the detectors saw {detectors[kind]:.1f} per step, the GPU trace {trace[kind]:.1f}",
        )
        for kind in sorted({*detectors, *trace})
        if abs(detectors[kind] - trace[kind]) > _TOLERANCE
    )


def _per_step(syncs: Iterable[Sync], steps: int) -> defaultdict[str, float]:
    means: defaultdict[str, float] = defaultdict(float)
    for sync in syncs:
        if sync.step is not None:
            means[_ALIKE.get(sync.kind, sync.kind)] += sync.count / steps
    return means
