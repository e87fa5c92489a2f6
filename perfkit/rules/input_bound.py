"""The step waits for its batch: the loader makes batches more slowly than steps use them up.

What it does
    Adds up how long steps wait for the DataLoader: by its own clock in bare steps, else from the trace.
    Speaks up from a tenth of the step, with what the loader is set to and how fast it makes batches.
    Without a GPU it also holds a loader without workers against the step that is predicted for one, and
    speaks up from a quarter of that and a millisecond on. Workers that are started anew for every epoch
    are a finding of their own, from a fiftieth of the step.

Why it hurts
    What is loaded in the main process is loaded while nothing is launched. Workers prepare the next
    batches meanwhile, and the step only picks them up, as long as they are fast enough.

How the saving is estimated
    Nothing, half and all of the waiting, as workers hide it only as far as there are cores; less what
    handing over the batch then takes the main process: 20, 70 or 250 µs for each of its tensors. Where
    that eats half of it, the advice is to join the tensors first, and where it may exceed the waiting,
    the finding says what a step may lose. Under the pretence the waiting of the typical step counts and
    confidence is low: it was timed on this CPU, beside what was counted for the device. Starting workers
    is counted in full, over the batches of an epoch. Where a trace shows a device, `idle_device` counts
    how long the device idles for loading; where storage is the reason, read-bound counts it: then
    nothing is counted here.

When not to act
    When the host has no core to spare (a step on a CPU of two cores loses to workers what it gains), or
    when the loader only waits for workers that are too slow already: then the work in them has to shrink.
"""

from __future__ import annotations

from math import ceil

from perfkit.analysis.loading import Loading, Restarts, loading, restarts
from perfkit.analysis.run_floors import run_floors
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.events import Events
from perfkit.model.loaders import LoaderUse
from perfkit.model.run import Run
from perfkit.rules import _claims, _workers
from perfkit.rules._engine import Looked
from perfkit.rules._storage import storage

_SHARE = 0.1
_PREDICTED = 0.25
_WORTH_NS = 1_000_000
_RESTARTS = 0.02

FIX = (
    "DataLoader(num_workers=4, persistent_workers=True, prefetch_factor=4, pin_memory=True); then take "
    "decoding and feature work out of the sample function"
)
SHRINK = "take decoding and feature work out of the sample function (prepare it once, offline)"


def input_bound(run: Run) -> Looked:
    """At most one finding about waiting, and one per loader about its workers' starts.

    Raises:
        NotApplicable: nothing is known of loading, a device shows it already, or nobody loads.
    """
    on_device = isinstance(run.events, Events) and bool(trace_reading(run.events).idle)
    if on_device and not run.loaders:
        raise NotApplicable("idle-device judges loading by how long the device waits for it")
    try:
        found = loading(run)
    except NotObservable as reason:
        raise NotApplicable(str(reason)) from reason
    started = [_started(run, each, found) for each in restarts(run) if _matters(each, found)]
    if not found.wait_ns and not run.loaders:
        raise NotApplicable("no DataLoader loads in the traced steps")
    whole = units.ns(found.step_ns * found.steps)
    at = f"{units.share(found.share)} of {whole} is spent in the DataLoader{_of(found.loader)}{_held(found)}"
    waits = []
    if found.share >= _SHARE:
        waits = [_waits(run, found, "idle-device" if on_device else _storage(run, found))]
    elif run.device != "cuda":
        waits = _predicted(run, found)
    return Looked(at, (*waits, *started))


def _of(loader: LoaderUse | None) -> str:
    if loader is None:
        return ""
    return f" of {loader.dataset} ({_workers_of(loader)}, {loader.batch_size or 'own'} samples a batch)"


def _held(found: Loading) -> str:
    if found.held_ns < _SHARE * found.step_ns:
        return ""
    return f"; while others held all cores it stood for another {units.ns(found.held_ns)} per step"


def _workers_of(loader: LoaderUse) -> str:
    count = loader.num_workers
    return f"{count or 'no'} worker{'' if count == 1 else 's'}"


def _storage(run: Run, found: Loading) -> str | None:
    """The rule that counts the wait, where storage is its reason."""
    try:
        return "read-bound" if storage(run, found).bound else None
    except NotObservable:
        return None


def _waits(run: Run, found: Loading, owner: str | None) -> Finding:
    per_step = round(found.wait_ns)
    return Finding(
        title=f"The step waits {units.ns(per_step)} for its batch{_mean(found)}, "
        f"{units.share(found.share)} of it{_because(run, found)}",
        evidence={
            "loading_ns": per_step,
            "share": found.share,
            "held_up_by_others_ns": round(found.held_ns),
            **_settings(found),
            **_workers.evidence(run, found),
            **({_claims.PART_OF: owner} if owner else {}),
        },
        saving=None if owner else _workers.saving(run, found),
        fix=_workers.advice(run, found, _fix(run, found)),
        rewrite=_workers.REWRITE if _workers.eaten(run, found) else None,
        confidence=_workers.confidence(run, found),
    )


def _mean(found: Loading) -> str:
    """Workers hand over batches in bursts: no single step need wait that long."""
    return " on average" if found.loader is not None and found.loader.num_workers else ""


def _because(run: Run, found: Loading) -> str:
    loader = found.loader
    if loader is None:
        return ""
    if not loader.num_workers:
        return ": num_workers is 0, so the main process makes it"
    if _workers.eaten(run, found):
        return f": {_workers_of(loader)} hand{'s' if loader.num_workers == 1 else ''} over " + (
            f"{units.count(round(loader.tensors or 0))} tensors one by one"
        )
    if found.made_every_ns is None:
        return f": {_workers_of(loader)} hand over batches unevenly"
    verb = "makes" if loader.num_workers == 1 else "make"
    return f": {_workers_of(loader)} {verb} one each {units.ns(found.made_every_ns)}"


def _settings(found: Loading) -> dict[str, str | int | float | bool | None]:
    loader = found.loader
    if loader is None:
        return {}
    return {
        "dataset": loader.dataset,
        "batch_size": loader.batch_size,
        "num_workers": loader.num_workers,
        "pin_memory": loader.pin_memory,
        "prefetch_factor": loader.prefetch_factor,
        "persistent_workers": loader.persistent_workers,
        "batch_each_ns": None if found.made_every_ns is None else round(found.made_every_ns),
        "rest_of_step_ns": round(found.rest_ns),
    }


def _fix(run: Run, found: Loading) -> str:
    """What is missing, and only that."""
    loader = found.loader
    if loader is None:
        return FIX
    wanted, cores = _wanted(found), _workers.cores(run)
    settings = []
    if wanted > loader.num_workers and (cores is None or loader.num_workers < cores):
        settings.append(f"num_workers={wanted if cores is None else min(wanted, max(1, cores))}")
    if not loader.num_workers:
        settings.append("persistent_workers=True")
    if loader.num_workers and found.made_every_ns is None and (loader.prefetch_factor or 0) < 4:
        settings.append("prefetch_factor=4")
    if not loader.pin_memory and run.device != "cpu":
        settings.append("pin_memory=True")
    call = f"DataLoader({', '.join(settings)})" if settings else ""
    few = cores is not None and wanted > cores
    reason = f" (keeping up takes {wanted} workers, and there are {cores} cores)" if few else ""
    if not few and not loader.num_workers:
        return call
    if wanted > loader.num_workers and "num_workers" in call:
        return f"{call}; then {SHRINK}{reason}"
    return f"{SHRINK[0].upper()}{SHRINK[1:]}{reason}" + (f"; {call}" if call else "")


def _wanted(found: Loading) -> int:
    """Workers that would keep up with the rest of the step, one process making as fast as now."""
    loader = found.loader
    assert loader is not None
    rest = max(found.rest_ns, 1.0)
    if not loader.num_workers:
        return max(1, min(64, ceil(found.wait_ns / rest)))
    each = found.made_every_ns or found.step_ns
    return max(loader.num_workers, min(64, ceil(loader.num_workers * each / rest)))


def _predicted(run: Run, found: Loading) -> list[Finding]:
    """A loader in the main process that is hidden by this CPU's slow step only."""
    loader = found.loader
    if loader is None or loader.num_workers or found.wait_ns < _WORTH_NS:
        return []
    try:
        floor = run_floors(run).first
    except NotObservable:
        return []
    share = found.wait_ns / (found.wait_ns + floor.step_ns)
    if floor.peaks.launch_ns is None or share < _PREDICTED:
        return []
    per_step = round(found.wait_ns)
    finding = Finding(
        title=f"A batch takes {units.ns(per_step)} to make in the main process, and the step is predicted "
        f"to take {units.ns(floor.step_ns)} on {floor.peaks.device}",
        evidence={
            "loading_ns": per_step,
            "predicted_share": share,
            "predicted_step_ns": round(floor.step_ns),
            **_settings(found),
            **_workers.evidence(run, found),
        },
        saving=_workers.saving(run, found),
        fix=_workers.advice(run, found, _fix(run, found)),
        rewrite=_workers.REWRITE if _workers.eaten(run, found) else None,
        confidence="low",
    )
    return [finding]


def _matters(again: Restarts, found: Loading) -> bool:
    return again.per_batch_ns >= _RESTARTS * found.step_ns


def _started(run: Run, again: Restarts, found: Loading) -> Finding:
    per_step = round(again.per_batch_ns)
    once = again.batches < 2
    batches = units.count(round(again.batches, 1))
    return Finding(
        title=f"{_workers_of(again.loader)} {'is' if again.loader.num_workers == 1 else 'are'} started anew "
        f"{'for every batch' if once else 'each epoch'}: {units.ns(again.each_ns)} for {batches} "
        f"batch{'' if batches == '1' else 'es'}",
        evidence={
            "starts": again.times,
            "start_ns": round(again.each_ns),
            "batches_per_start": again.batches,
            "dataset": again.loader.dataset,
            "num_workers": again.loader.num_workers,
            "share": again.per_batch_ns / found.step_ns if found.step_ns else None,
        },
        saving=Saving(per_step // 2, per_step, per_step, "starts of workers over their batches"),
        fix=(
            "Iterate over the loader: iter(loader) in each step starts its workers anew"
            if once
            else "DataLoader(persistent_workers=True)"
        ),
        confidence="low" if run.device == "pretend-cuda" else "likely",
    )
