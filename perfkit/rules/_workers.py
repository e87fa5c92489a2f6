"""What workers can give back of the time in a loader, once their batches have to be handed over."""

from __future__ import annotations

from perfkit.analysis.loading import HAND_OVER_NS, Loading, hand_over
from perfkit.base import units
from perfkit.model.diagnosis import Confidence, Saving
from perfkit.model.run import Run
from perfkit.model.table import Cell

REWRITE = "csr_collate"
_PACKED = 3
"""Tensors, the batch itself counted as one, of a batch whose many tensors were joined."""
_FEW_CORES = 2
_METHOD = "none, half and all of the time in the loader"
_LESS = ", less handing over the batch from a worker"


def waited(run: Run, found: Loading) -> float:
    """ns per step that count: the mean; of the typical step only where this CPU is not the one to run on.

    There the loader is the one thing that was timed among others that were counted, and what disturbs a
    step or two here says nothing of the machine with the device.
    """
    if run.device != "pretend-cuda" or found.typical_ns is None:
        return found.wait_ns
    return min(found.wait_ns, found.typical_ns)


def saving(run: Run, found: Loading) -> Saving:
    """Low is nothing: workers may find no core. High is what joined tensors leave."""
    wait, cost = waited(run, found), hand_over(found.loader)
    if cost is None or _has_workers(found):
        return Saving(0, round(wait / 2), round(wait), _METHOD)
    best = min(cost[0], _PACKED * HAND_OVER_NS[0])
    high = max(0, round(wait) - best)
    likely = 0 if run.device == "cpu" and _crowded(run) else round((wait - cost[1]) / 2)
    return Saving(0, min(high, max(0, likely)), high, _METHOD + _LESS)


def eaten(run: Run, found: Loading) -> bool:
    """Handing over takes at least half of what workers would hide; of workers that are there, of the wait."""
    cost = hand_over(found.loader)
    return cost is not None and 2 * cost[1] >= waited(run, found) and _many(found)


def loss_ns(run: Run, found: Loading) -> int:
    """What a step may lose to workers at worst; nothing where there are some."""
    cost = hand_over(found.loader)
    if cost is None or _has_workers(found):
        return 0
    return max(0, cost[2] - round(waited(run, found)))


def confidence(run: Run, found: Loading) -> Confidence:
    """Low where the wait was timed on another machine than the one that is spoken of, or may be lost."""
    sure = run.device != "pretend-cuda" and not loss_ns(run, found) and not _crowded(run)
    return "likely" if sure else "low"


def evidence(run: Run, found: Loading) -> dict[str, Cell]:
    """What is known of handing over; nothing where nobody counted tensors."""
    loader, cost = found.loader, hand_over(found.loader)
    if loader is None or cost is None:
        return {}
    return {
        "tensors_per_batch": loader.tensors,
        "bytes_per_batch": loader.nbytes,
        "hand_over_ns": cost[1],
        "possible_loss_ns": loss_ns(run, found),
    }


def advice(run: Run, found: Loading, fix: str) -> str:
    """The settings of the loader, and what has to be done before; what cores are wanted for."""
    crowd = f"; {_crowd(run)}" if _crowded(run) and not _has_workers(found) else ""
    if not eaten(run, found):
        return fix + crowd
    return f"{_pack(found)}{_risk(run, found)}; then {fix}{crowd}"


def _pack(found: Loading) -> str:
    cost = hand_over(found.loader)
    assert found.loader is not None
    assert cost is not None
    tensors = units.count(round(found.loader.tensors or 0))
    return (
        f"Join the {tensors} tensors of a batch into few (perfkit.rewrites.csr_collate for bags of ids): a "
        f"worker hands over each on its own, about {units.ns(cost[1])} per batch"
    )


def _risk(run: Run, found: Loading) -> str:
    loss = loss_ns(run, found)
    if not loss:
        return ""
    return f"; with workers the step as it is now may even lose up to {units.ns(loss)}"


def _crowd(run: Run) -> str:
    count = cores(run)
    noun = "core is" if count == 1 else f"{count} cores are"
    return f"the {noun} the step's as well here, and workers take their time from it"


def _crowded(run: Run) -> bool:
    """The step runs on the cores that workers would need."""
    count = cores(run)
    return count is not None and count <= (1 if run.device == "cuda" else _FEW_CORES)


def cores(run: Run) -> int | None:
    """Cores of the machine that was recorded; None where nobody told."""
    text = run.env.get("cores", "")
    return int(text) if text.isdecimal() else None


def _has_workers(found: Loading) -> bool:
    return found.loader is not None and found.loader.num_workers > 0


def _many(found: Loading) -> bool:
    return found.loader is not None and (found.loader.tensors or 0) + 1 > _PACKED
