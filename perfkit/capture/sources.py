"""What there is to be sampled on this machine for one process: the host, and the GPUs it sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfkit.capture.host_samples import HostSource
from perfkit.capture.nvml import Nvml
from perfkit.capture.sampler import Source
from perfkit.model.run import Gap


def sources(
    pid: int | None = None, environment: Mapping[str, str] | None = None
) -> tuple[Sequence[Source], Sequence[Gap]]:
    """The host first, then devices in CUDA's order; gaps say why there are none of these.

    Args:
        pid: the process, this one if None.
        environment: its environment, ours if None; CUDA_VISIBLE_DEVICES counts.
    """
    nvml = Nvml(pid=pid, environment=environment)
    if not nvml.devices:
        nvml.close()
    return (HostSource(pid), *nvml.devices), nvml.gaps
