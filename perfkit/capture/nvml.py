"""GPUs as NVML sees them, through nvidia-ml-py: what can be read is read, what cannot says why.

Nothing here is ever 0 for "not known", and no error of a driver escapes: a quantity that a device does
not have, or may not tell, is left out with the reason, and a GPU that is lost ends its samples.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from perfkit.capture import _numa
from perfkit.capture._nvml_quantities import INSTEAD, QUANTITIES, Device, NotSaidError, Quantity
from perfkit.capture.visible_devices import Chosen, Gpu, MigPart, visible
from perfkit.model.run import Gap

_SAID = {
    1: "NVML was shut down by the program",
    3: "this device does not support it",
    4: "no permission: ask for access to /dev/nvidia*",
    9: "the NVIDIA driver is not loaded",
    12: "no NVIDIA driver is installed (libnvidia-ml.so.1 was not found)",
    13: "this driver is too old for it",
    15: "the GPU is lost: it fell off the bus or has no power",
    16: "the GPU must be reset",
    18: "the NVIDIA driver and its library have different versions: reload the driver, or reboot",
}
"""NVML's error codes in words of what to do."""
_FOR_GOOD = {2, 3, 4, 7, 13, 25, 26}  # of one quantity
_FATAL = {1, 9, 15, 16, 18}  # of the whole device
_DIVIDED = "NVML does not tell it of a GPU divided by MIG, nor of its parts"


class NvmlDevice:
    """One device to be sampled: `read` gives what is due, and never raises for what a driver does.

    Attributes:
        subject: "device 0", numbered as CUDA does.
        units: unit by name of everything that it may tell.
        counters: of those, sums that `Rates` turns into rates.
    """

    def __init__(
        self,
        number: int,
        device: Device,
        identity: Mapping[str, str],
        close: Callable[[], None],
    ) -> None:
        self.subject = f"device {number}"
        self.units: Mapping[str, str] = {
            n: u for quantity in QUANTITIES.values() for n, u in quantity.units.items()
        }
        self._device = device
        self._identity = dict(identity)
        self._divided = "MIG" in identity
        self._asked = dict(QUANTITIES)
        self._next: dict[str, int] = {}
        self._last: dict[str, tuple[int, float]] = {}
        self._gaps: dict[str, str] = {}
        self._failed: dict[str, int] = {}
        self._dead = False
        self.close = close  # of NVML as a whole, which takes it more than once

    def identity(self) -> Mapping[str, str]:
        """Name, uuid, bus id, NUMA node, driver."""
        return self._identity

    def read(self, now_ns: int) -> dict[str, float]:
        """What could be read now; what is missing was not available at this moment."""
        found: dict[str, float] = {}
        for what, quantity in list(self._asked.items()):
            if self._dead:
                break
            if now_ns < self._next.get(what, now_ns):
                continue
            self._next[what] = now_ns + quantity.every_ns
            values = self._answer(what, quantity)
            found |= self._rates(values, now_ns) if quantity.counter else values
        return found

    def unavailable(self) -> tuple[Gap, ...]:
        """What could not be had, and why."""
        some = {
            what: f"{count} readings failed, the last with: {self._gaps[what]}"
            for what, count in self._failed.items()
        }
        return tuple(Gap(what, why) for what, why in {**self._gaps, **some}.items())

    def _answer(self, what: str, quantity: Quantity) -> Mapping[str, float]:
        nvml = self._device.nvml
        try:
            values = quantity.read(self._device)
        except nvml.NVMLError as error:
            self._refused(what, int(error.value), str(error))
        except NotSaidError as error:
            if error.code is None:
                self._gaps[what] = str(error)
            else:
                self._refused(what, error.code, f"NVML error {error.code}")
        except AttributeError:
            self._drop(what, "the installed nvidia-ml-py is too old for it")
        else:
            if what not in self._failed:
                self._gaps.pop(what, None)
            return values
        return {}

    def _refused(self, what: str, code: int, text: str) -> None:
        reason = _SAID.get(code, text)
        if code in _FATAL:
            self._dead = True
            self._gaps["everything after that moment"] = reason
        elif code in _FOR_GOOD:
            if what in INSTEAD and self._asked[what] is not INSTEAD[what]:
                self._asked[what] = INSTEAD[what]
            else:
                self._drop(what, _DIVIDED if code == 3 and self._divided else reason)
        else:
            self._failed[what] = self._failed.get(what, 0) + 1
            self._gaps[what] = reason

    def _drop(self, what: str, reason: str) -> None:
        if _is_wsl():
            reason += " (under WSL the driver hides much)"
        del self._asked[what]
        self._failed.pop(what, None)
        self._gaps[what] = reason

    def _rates(self, counters: Mapping[str, float], now_ns: int) -> dict[str, float]:
        """Per second since the reading before; nothing at the first and where a counter wrapped."""
        rates = {}
        for name, value in counters.items():
            before = self._last.get(name)
            self._last[name] = (now_ns, value)
            if before is not None and now_ns > before[0] and value >= before[1]:
                rates[name] = (value - before[1]) / (now_ns - before[0]) * 1e9
        return rates


class Nvml:
    """NVML open. `devices` are those that a program with this environment sees, in CUDA's order.

    Attributes:
        gaps: why there are none, or what is doubtful about them.
    """

    def __init__(
        self,
        nvml: Any = None,
        pid: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.devices: tuple[NvmlDevice, ...] = ()
        self.gaps: tuple[Gap, ...] = ()
        self._nvml = nvml if nvml is not None else _binding()
        self._open = False
        if self._nvml is None:
            self.gaps = (Gap("devices", "nvidia-ml-py is not installed"),)
            return
        try:
            self._nvml.nvmlInit()
            self._open = True
            seen = os.environ if environment is None else environment
            self._find(os.getpid() if pid is None else pid, seen)
        except self._nvml.NVMLError as error:
            self.gaps = (Gap("devices", _SAID.get(int(error.value), str(error))),)

    def close(self) -> None:
        """Shut NVML down. Safe to call twice."""
        if not self._open:
            return
        self._open = False
        try:
            self._nvml.nvmlShutdown()
        except self._nvml.NVMLError:  # a lost driver has nothing left to close
            return

    def _find(self, pid: int, environment: Mapping[str, str]) -> None:
        nvml = self._nvml
        handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
        found = [_gpu(nvml, handle) for handle in handles]
        chosen, self.gaps = visible(environment, [gpu for gpu, _ in found])
        driver = _text(nvml.nvmlSystemGetDriverVersion())
        self.devices = tuple(
            NvmlDevice(
                number,
                Device(nvml, _part(one, handles, found), handles[one.gpu], pid),
                _identity(nvml, handles[one.gpu], one, found[one.gpu][0], driver),
                self.close,
            )
            for number, one in enumerate(chosen)
        )


def _binding() -> Any:
    """The module pynvml of nvidia-ml-py; None where it is not installed."""
    try:
        import pynvml
    except ImportError:
        return None
    return pynvml


def _gpu(nvml: Any, handle: Any) -> tuple[Gpu, Sequence[Any]]:
    """A GPU and the handles of its MIG parts."""
    parts, handles = [], []
    try:
        divided = bool(nvml.nvmlDeviceGetMigMode(handle)[0])
        most = nvml.nvmlDeviceGetMaxMigDeviceCount(handle) if divided else 0
    except nvml.NVMLError:  # a GPU that knows no MIG
        most = 0
    for index in range(most):
        try:
            part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
            where = (
                nvml.nvmlDeviceGetGpuInstanceId(part),
                nvml.nvmlDeviceGetComputeInstanceId(part),
            )
            parts.append(MigPart(_text(nvml.nvmlDeviceGetUUID(part)), *where))
        except nvml.NVMLError:  # places of a GPU that hold no part
            continue
        handles.append(part)
    uuid, name = nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle)
    return Gpu(_text(uuid), _text(name), tuple(parts)), handles


def _part(one: Chosen, handles: Sequence[Any], found: Sequence[tuple[Gpu, Sequence[Any]]]) -> Any:
    return handles[one.gpu] if one.part is None else found[one.gpu][1][one.part]


def _identity(nvml: Any, handle: Any, one: Chosen, gpu: Gpu, driver: str) -> dict[str, str]:
    facts = {"name": gpu.name, "uuid": gpu.uuid, "driver": driver}
    try:
        facts["bus id"] = _text(nvml.nvmlDeviceGetPciInfo(handle).busId)
    except nvml.NVMLError:  # virtual GPUs may have none
        pass
    else:
        node = _numa.of_bus(facts["bus id"])
        if node is not None:
            facts["NUMA node"] = str(node)
    if one.part is not None:
        facts["MIG"] = gpu.parts[one.part].uuid
        facts["note"] = "clocks, power and temperature are those of the whole GPU"
    return facts


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _is_wsl() -> bool:
    return "microsoft" in platform.release().lower()
