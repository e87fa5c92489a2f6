"""The process ran on a NUMA node other than the one its GPU is attached to.

What it does
    Compares the node on which the process's main thread ran at each sample with the node of the GPU's
    PCI slot, as Linux tells both. It speaks up where at least four fifths of the samples (and five of
    them) were elsewhere. Only GPUs that the process is known to use are looked at.

Why it hurts
    Every launch and every copy then crosses the link between the sockets: pinned copies lose up to half
    of their bandwidth, and each launch takes longer.

How the saving is estimated
    It is not: it depends on how much of the step is copies and launches, and is often small. Bind the
    process and measure again.

When not to act
    When the step hardly copies or launches, or when one process drives GPUs of both sockets.
"""

from __future__ import annotations

import numpy as np

from perfkit.analysis.device_samples import MEASURED, host, inside, values
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.model.samples import Samples
from perfkit.rules._engine import Looked
from perfkit.rules._sampled import sampled_devices

_SHARE = 0.8
_SAMPLES = 5


def numa_misplaced(run: Run) -> Looked:
    """At most one finding per device.

    Raises:
        NotApplicable: no device was sampled, or the machine has only one node.
        NotObservable: a node is not known.
    """
    gpus = sampled_devices(run)
    machine = host(run.samples)
    if machine is None:
        raise NotObservable("the host was not sampled")
    if int(machine.identity.get("NUMA nodes", "0")) < 2:
        raise NotApplicable("Linux shows no second NUMA node here")
    nodes = values(machine, "numa_node")
    nodes = nodes[inside(machine.time, run.steps, MEASURED) & ~np.isnan(nodes)]
    if len(nodes) < _SAMPLES:
        raise NotObservable(f"{len(nodes)} samples tell where the process ran, too few")
    used = [each for each in _used(gpus) if "NUMA node" in each.identity]
    if not used:
        raise NotObservable("the NUMA node of the GPU that the process uses is not known")
    at = f"{len(nodes)} samples of the process's node beside {len(used)} GPU's"
    found = (_finding(each, nodes, machine) for each in used)
    return Looked(at, tuple(finding for finding in found if finding is not None))


def _used(gpus: tuple[Samples, ...]) -> list[Samples]:
    """The devices that hold memory of this process; a single one is taken for used."""
    holding = [each for each in gpus if "process_memory" in each.series]
    return holding or (list(gpus) if len(gpus) == 1 else [])


def _finding(
    gpu: Samples, nodes: np.ndarray[tuple[int], np.dtype[np.float64]], machine: Samples
) -> Finding | None:
    wanted = int(gpu.identity["NUMA node"])
    share = float((nodes != wanted).mean())
    if share < _SHARE:
        return None
    elsewhere = int(np.bincount(nodes[nodes != wanted].astype(np.int64)).argmax())
    number = gpu.subject.removeprefix("device ")
    return Finding(
        title=(
            f"The process ran on NUMA node {elsewhere} in {units.share(share)} of the samples, and GPU "
            f"{number} is attached to node {wanted}"
        ),
        evidence={
            "device": gpu.subject,
            "gpu_node": wanted,
            "process_node": elsewhere,
            "share": share,
            "samples": len(nodes),
            "nodes_allowed": machine.identity.get("NUMA nodes allowed"),
        },
        fix=(
            f"Start it on the GPU's node: numactl --cpunodebind={wanted} --membind={wanted} python ..."
        ),
        confidence="likely",
    )
