"""NVML without a driver: an object with pynvml's functions over plain values, for unit tests.

`FakeNvml([{"name": "H100", "power": 300_000, "energy": 15}])`: a negative number is NVML's error of
that number, a list is one value per call, what is not named is not supported.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

NOT_SUPPORTED = -3
LOST = -15


class FakeNvmlError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(f"error {value}")
        self.value = value


class FakeNvml:
    """Handles are indices, those of MIG parts are (index, part)."""

    NVMLError = FakeNvmlError
    NVML_ERROR_FUNCTION_NOT_FOUND = 13

    def __init__(self, gpus: list[dict[str, Any]], init: int = 0) -> None:
        self.gpus, self.init, self.closed = gpus, init, 0

    def value(self, handle: Any, name: str) -> Any:
        at = self.gpus[handle[0]]["parts"][handle[1]] if isinstance(handle, tuple) else None
        about = self.gpus[handle] if at is None else at
        found = about.get(name, NOT_SUPPORTED)
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, int) and found < 0:
            raise FakeNvmlError(-found)
        return found

    def nvmlInit(self) -> None:
        if self.init:
            raise FakeNvmlError(self.init)

    def nvmlShutdown(self) -> None:
        self.closed += 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlSystemGetDriverVersion(self) -> bytes:
        return b"580.1"

    def nvmlDeviceGetPciInfo(self, handle: Any) -> Any:
        return SimpleNamespace(busId=self.value(handle, "bus"))

    def nvmlDeviceGetMigMode(self, handle: int) -> list[int]:
        return [int("parts" in self.gpus[handle]), 0]

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: int) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: int, index: int) -> tuple[int, int]:
        if index >= len(self.gpus[handle]["parts"]):
            raise FakeNvmlError(6)
        return handle, index

    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any:
        return SimpleNamespace(gpu=self.value(handle, "utilisation"), memory=0)

    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any:
        return SimpleNamespace(used=self.value(handle, "memory"), total=1 << 36)

    def nvmlDeviceGetClockInfo(self, handle: Any, kind: int) -> Any:
        return self.value(handle, f"clock{kind}")

    def nvmlDeviceGetTemperature(self, handle: Any, sensor: int) -> Any:
        return self.value(handle, "temperature")

    def nvmlDeviceGetFieldValues(self, handle: Any, asked: list[tuple[int, int]]) -> list[Any]:
        found = []
        for number, _ in asked:
            try:
                value, status = self.value(handle, f"field{number}"), 0
            except FakeNvmlError as error:
                value, status = 0, error.value
            one = SimpleNamespace(ullVal=value)
            found.append(SimpleNamespace(nvmlReturn=status, valueType=3, value=one))
        return found

    def nvmlDeviceGetPcieThroughput(self, handle: Any, kind: int) -> Any:
        return self.value(handle, f"pcie{kind}")

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> list[Any]:
        pid, used = self.value(handle, "process")
        return [SimpleNamespace(pid=pid, usedGpuMemory=used)]

    def nvmlDeviceGetProcessUtilization(self, handle: Any, since: int) -> list[Any]:
        pid, share = self.value(handle, "share")
        return [SimpleNamespace(pid=pid, smUtil=share, timeStamp=1)]

    def __getattr__(self, name: str) -> Any:
        """The calls that return one number."""
        short = {
            "nvmlDeviceGetName": "name",
            "nvmlDeviceGetUUID": "uuid",
            "nvmlDeviceGetMaxClockInfo": "most",
            "nvmlDeviceGetPowerUsage": "power",
            "nvmlDeviceGetEnforcedPowerLimit": "limit",
            "nvmlDeviceGetTotalEnergyConsumption": "energy",
            "nvmlDeviceGetCurrentClocksEventReasons": "throttle",
            "nvmlDeviceGetCurrentClocksThrottleReasons": "throttle_by_old_name",
            "nvmlDeviceGetGpuInstanceId": "gi",
            "nvmlDeviceGetComputeInstanceId": "ci",
        }
        if name not in short:
            raise AttributeError(name)
        return lambda handle, *rest: self.value(handle, short[name])


def gpu(**values: Any) -> dict[str, Any]:
    """One GPU that knows everything; keywords change it."""
    number = values.pop("number", 0)
    return {
        "name": b"H100",
        "uuid": f"GPU-{number}",
        "bus": b"00000000:3B:00.0",
        "utilisation": 100,
        "memory": 5 << 30,
        "clock1": 1980,
        "clock2": 2619,
        "most": 1980,
        "power": 612_500,
        "limit": 700_000,
        "energy": 9_000_000,
        "temperature": 71,
        "throttle": 0x4,
        "field138": 1000,
        "field139": 2000,
        "field197": 5000,
        "field198": 6000,
        "process": (77, 3 << 30),
        "share": (77, 40),
        **values,
    }
