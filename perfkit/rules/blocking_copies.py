"""Copies between host and device that block the host.

What it does
    Lists every line that copies whole tensors between host and device and makes Python wait for
    it: `.to(device)` and `.cuda()` from ordinary memory, `torch.tensor(data, device="cuda")`,
    `.cpu()`, `.numpy()`. It also lists `non_blocking=True` from memory that is not pinned, which
    waits while the driver stages the data. Lines that another rule speaks for are listed as part of
    its finding.

Why it hurts
    A blocking copy is a synchronisation plus a transfer: nothing is queued meanwhile. Many small
    ones, a batch dictionary moved entry by entry, cost far more than their bytes.

How the saving is estimated
    Where a trace shows launches and kernels, the step is replayed from it with copies that no
    longer wait. Elsewhere it is the call and the bubble of a synchronisation per copy, plus the
    bytes at 3 to 12 GB/s. Copies that only may wait count zero at the low end.

When not to act
    For one copy per step that takes little of it; before a deliberate read of results; or when the
    next operation needs the data at once and nothing else could run in between.
"""

from __future__ import annotations

from perfkit.analysis.sync_points import SyncPoint, sync_points
from perfkit.base import units
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules import _claims, _places
from perfkit.rules._engine import Looked
from perfkit.rules._trace_waits import trace_evidence

_WAY = {"h2d": "to the device", "d2h": "to the host", "none": "between devices"}


def blocking_copies(run: Run) -> Looked:
    """One finding per line that copies, what wastes most first.

    Raises:
        NotObservable: no step was watched.
    """
    copies = [point for point in sync_points(run) if _places.is_copy(point)]
    lines = _claims.by_line(copies, _claims.parts(run))
    findings = tuple(_finding(points, run, owner) for points, owner in lines)
    return Looked(_places.watched(run), findings)


def _finding(points: list[SyncPoint], run: Run, owner: str | None) -> Finding:
    main = points[0]
    count = units.count(round(_places.per_step(points), 1))
    noun = "copy" if count == "1" else "copies"
    moved = [p.nbytes for p in points if p.nbytes is not None]
    size = f", {units.nbytes(sum(moved))}" if moved else ""
    return Finding(
        title=f"{count} blocking {noun} {_WAY[main.direction]} per step{size}",
        place=main.site,
        code=_places.code_at(main.site),
        evidence={
            "direction": main.direction,
            **_places.evidence(points),
            **trace_evidence(run, points),
            **({_claims.PART_OF: owner} if owner else {}),
        },
        saving=None if owner else _claims.saving(run, points),
        fix=_places.advice(points),
        rewrite=_places.rewrite(points),
        confidence=_places.confidence(points, run),
    )
