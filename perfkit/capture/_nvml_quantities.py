"""What NVML can tell of a device: one reading each, with its unit and how often it is worth asking.

Sources: nvml.h of the CUDA toolkit (units, blocking times); NVML's utilisation is the share of its last
1/6 to 1 s in which at least one kernel ran, whatever it filled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

SECOND = 1_000_000_000
_ALL_LINKS = 2**32 - 1
_NVLINK = {"nvlink_sent": 138, "nvlink_received": 139}  # KiB since the driver was loaded
_PCIE = {"pcie_sent": 197, "pcie_received": 198}  # bytes, may wrap
_PCIE_BLOCKING = {"pcie_sent": 0, "pcie_received": 1}
_SM, _MEMORY = 1, 2
_BYTES = "bytes/s"
_COUNTERS = {0: "dVal", 1: "uiVal", 2: "ulVal", 3: "ullVal", 4: "sllVal", 5: "siVal", 6: "usVal"}


class NotSaidError(Exception):
    """NVML answered, but not about this process, or with a field's own error (`code`)."""

    def __init__(self, why: str, code: int | None = None) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True)
class Device:
    """Handles of one device: of a MIG part, and of the GPU it is on; the same where undivided."""

    nvml: Any
    part: Any
    gpu: Any
    pid: int


@dataclass(frozen=True)
class Quantity:
    """One call of NVML.

    Attributes:
        units: unit by name of what it returns.
        read: values by name; counters as they stand.
        every_ns: not asked more often than this.
        of_gpu: NVML knows it only of the whole GPU, also where a program has a MIG part.
        counter: values are sums since some beginning, to be turned into rates.
    """

    units: Mapping[str, str]
    read: Callable[[Device], Mapping[str, float]]
    every_ns: int = 0
    of_gpu: bool = True
    counter: bool = False


def _utilisation(device: Device) -> Mapping[str, float]:
    rates = device.nvml.nvmlDeviceGetUtilizationRates(device.part)
    return {"sm_utilisation": rates.gpu / 100, "memory_utilisation": rates.memory / 100}


def _memory(device: Device) -> Mapping[str, float]:
    info = device.nvml.nvmlDeviceGetMemoryInfo(device.part)
    return {"memory_used": info.used, "memory_total": info.total}


def _clock(name: str, kind: int) -> Callable[[Device], Mapping[str, float]]:
    def read(device: Device) -> Mapping[str, float]:
        return {name: device.nvml.nvmlDeviceGetClockInfo(device.gpu, kind) * 1e6}

    return read


def _highest_clock(device: Device) -> Mapping[str, float]:
    return {"sm_clock_limit": device.nvml.nvmlDeviceGetMaxClockInfo(device.gpu, _SM) * 1e6}


def _power(device: Device) -> Mapping[str, float]:
    return {"power": device.nvml.nvmlDeviceGetPowerUsage(device.gpu) / 1000}


def _power_limit(device: Device) -> Mapping[str, float]:
    return {"power_limit": device.nvml.nvmlDeviceGetEnforcedPowerLimit(device.gpu) / 1000}


def _energy(device: Device) -> Mapping[str, float]:
    return {"energy": device.nvml.nvmlDeviceGetTotalEnergyConsumption(device.gpu) / 1000}


def _temperature(device: Device) -> Mapping[str, float]:
    return {"temperature": device.nvml.nvmlDeviceGetTemperature(device.gpu, 0)}


def _throttle(device: Device) -> Mapping[str, float]:
    """Older drivers and bindings know the call by its former name."""
    nvml = device.nvml
    try:
        return {"throttle": nvml.nvmlDeviceGetCurrentClocksEventReasons(device.gpu)}
    except (nvml.NVMLError, AttributeError) as error:
        missing = nvml.NVML_ERROR_FUNCTION_NOT_FOUND
        if getattr(error, "value", missing) != missing:
            raise
        return {"throttle": nvml.nvmlDeviceGetCurrentClocksThrottleReasons(device.gpu)}


def _fields(
    ids: Mapping[str, int], scope: int, factor: int
) -> Callable[[Device], dict[str, float]]:
    def read(device: Device) -> dict[str, float]:
        asked = [(number, scope) for number in ids.values()]
        found = device.nvml.nvmlDeviceGetFieldValues(device.gpu, asked)
        values = {}
        for name, one in zip(ids, found, strict=True):
            if one.nvmlReturn:
                raise NotSaidError("", one.nvmlReturn)
            values[name] = float(getattr(one.value, _COUNTERS[one.valueType])) * factor
        return values

    return read


def _pcie_blocking(device: Device) -> Mapping[str, float]:
    """NVML measures for 20 ms in each call, so it is asked rarely."""
    read = device.nvml.nvmlDeviceGetPcieThroughput
    return {name: read(device.gpu, kind) * 1000.0 for name, kind in _PCIE_BLOCKING.items()}


def _process_memory(device: Device) -> Mapping[str, float]:
    for process in device.nvml.nvmlDeviceGetComputeRunningProcesses(device.part):
        if process.pid == device.pid:
            used = process.usedGpuMemory
            return {"process_memory": math.nan if used is None else used}
    raise NotSaidError(
        f"NVML lists no process {device.pid} (it has not used the device yet, or runs in a container, "
        "where numbers differ)"
    )


def _process_share(device: Device) -> Mapping[str, float]:
    samples = device.nvml.nvmlDeviceGetProcessUtilization(device.gpu, 0)
    mine = [sample for sample in samples if sample.pid == device.pid]
    if not mine:
        raise NotSaidError(f"NVML has no utilisation of process {device.pid}")
    return {"process_utilisation": max(mine, key=lambda sample: sample.timeStamp).smUtil / 100}


QUANTITIES: Mapping[str, Quantity] = {
    "utilisation": Quantity(
        {"sm_utilisation": "ratio", "memory_utilisation": "ratio"}, _utilisation, of_gpu=False
    ),
    "memory": Quantity({"memory_used": "bytes", "memory_total": "bytes"}, _memory, of_gpu=False),
    "SM clock": Quantity({"sm_clock": "hertz"}, _clock("sm_clock", _SM)),
    "memory clock": Quantity({"memory_clock": "hertz"}, _clock("memory_clock", _MEMORY)),
    "power": Quantity({"power": "watt"}, _power),
    "energy": Quantity({"energy": "joule"}, _energy),
    "temperature": Quantity({"temperature": "celsius"}, _temperature),
    "throttle reasons": Quantity({"throttle": "flags"}, _throttle),
    "NVLink traffic": Quantity(
        dict.fromkeys(_NVLINK, _BYTES), _fields(_NVLINK, _ALL_LINKS, 1024), counter=True
    ),
    "PCIe traffic": Quantity(dict.fromkeys(_PCIE, _BYTES), _fields(_PCIE, 0, 1), counter=True),
    "highest SM clock": Quantity({"sm_clock_limit": "hertz"}, _highest_clock, 10 * SECOND),
    "power limit": Quantity({"power_limit": "watt"}, _power_limit, 10 * SECOND),
    "this process's memory": Quantity({"process_memory": "bytes"}, _process_memory, SECOND, False),
    "this process's utilisation": Quantity(
        {"process_utilisation": "ratio"}, _process_share, SECOND
    ),
}
"""In the order in which they are read: what changes fastest first."""

INSTEAD: Mapping[str, Quantity] = {
    "PCIe traffic": Quantity(dict.fromkeys(_PCIE, _BYTES), _pcie_blocking, SECOND),
}
"""How to ask for the same where the device does not support the first way."""
