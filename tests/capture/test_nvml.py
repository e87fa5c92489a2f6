"""What NVML says, and what it refuses to say, through an edge without a driver."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from perfkit.capture import _numa
from perfkit.capture.nvml import Nvml, NvmlDevice
from tests.capture.fake_gpus import LOST, NOT_SUPPORTED, FakeNvml, gpu

SECOND = 1_000_000_000


def opened(*gpus: dict[str, object], **environment: str) -> Nvml:
    return Nvml(FakeNvml(list(gpus)), pid=77, environment=environment)


def device(**values: object) -> NvmlDevice:
    return opened(gpu(**values)).devices[0]


def reasons(of: NvmlDevice) -> dict[str, str]:
    return {gap.what: gap.why for gap in of.unavailable()}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (9, "the NVIDIA driver is not loaded"),
        (12, "no NVIDIA driver is installed"),
        (4, "no permission"),
        (18, "different versions"),
        (999, "error 999"),
    ],
)
def test_without_a_driver_there_is_no_device_and_a_reason(code: int, said: str) -> None:
    nvml = Nvml(FakeNvml([gpu()], init=code))
    assert nvml.devices == ()
    assert said in nvml.gaps[0].why


def test_without_the_binding_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    nvml = Nvml()
    assert (nvml.devices, nvml.gaps[0].why) == ((), "nvidia-ml-py is not installed")
    nvml.close()


def test_hidden_devices_are_not_sampled() -> None:
    nvml = opened(gpu(), CUDA_VISIBLE_DEVICES="-1")
    assert nvml.devices == ()
    assert "CUDA_VISIBLE_DEVICES='-1'" in nvml.gaps[0].why


def test_a_quantity_that_is_not_supported_is_missing_and_never_zero() -> None:
    one = device(power=NOT_SUPPORTED, utilisation=-4)
    found = one.read(0)
    assert "power" not in found and "sm_utilisation" not in found
    assert found["temperature"] == 71
    assert reasons(one)["power"] == "this device does not support it"
    assert reasons(one)["utilisation"].startswith("no permission")


def test_a_quantity_is_not_asked_again_once_it_is_refused_for_good() -> None:
    one = device(power=[NOT_SUPPORTED, 5000, 5000])
    one.read(0)
    assert "power" not in one.read(1)


def test_a_reading_that_fails_now_and_then_is_missing_at_that_moment_only() -> None:
    one = device(power=[-999, 5000])
    assert "power" not in one.read(0)
    assert one.read(1)["power"] == 5.0
    assert reasons(one)["power"] == "1 readings failed, the last with: error 999"


def test_a_lost_gpu_ends_its_samples() -> None:
    one = device(clock1=[1980, LOST, 1980])
    assert one.read(0)["sm_clock"] == 1980e6
    assert "power" not in one.read(1)
    assert one.read(2) == {}
    assert "lost" in reasons(one)["everything after that moment"]


def test_a_process_that_nvml_does_not_list_has_no_memory_of_zero() -> None:
    one = device(process=(12345, 1 << 30), share=(12345, 9))
    found = one.read(0)
    assert "process_memory" not in found and "process_utilisation" not in found
    assert "container" in reasons(one)["this process's memory"]


def test_a_process_that_appears_later_leaves_no_complaint() -> None:
    one = device(process=[(5, 1), (77, 9)])
    one.read(0)
    assert one.read(2 * SECOND)["process_memory"] == 9
    assert "this process's memory" not in reasons(one)


def test_everything_that_a_gpu_tells_in_units_of_ours() -> None:
    one = device(energy=[9_000_000, 9_030_000])
    first, second = one.read(0), one.read(SECOND)
    assert first == {
        "sm_utilisation": 1.0,
        "memory_utilisation": 0.0,
        "memory_used": 5 << 30,
        "memory_total": 1 << 36,
        "sm_clock": 1980e6,
        "memory_clock": 2619e6,
        "power": 612.5,
        "energy": 9000.0,
        "temperature": 71,
        "throttle": 4,
        "sm_clock_limit": 1980e6,
        "power_limit": 700.0,
        "process_memory": 3 << 30,
        "process_utilisation": 0.4,
    }
    assert second["energy"] - first["energy"] == 30.0
    assert second.keys() >= {"nvlink_sent", "pcie_sent"}
    assert second.keys() <= one.units.keys()
    assert one.unavailable() == ()


def test_counters_become_rates_and_a_counter_that_wrapped_is_unknown() -> None:
    one = device(field138=[1000, 3000, 10], field197=[100, 600, 1600])
    assert "nvlink_sent" not in one.read(0)
    second = one.read(SECOND // 2)
    assert (second["nvlink_sent"], second["pcie_sent"]) == (2000 * 1024 * 2, 1000)
    third = one.read(SECOND)
    assert "nvlink_sent" not in third
    assert third["pcie_sent"] == 2000


def test_pcie_traffic_is_asked_the_slow_way_where_there_is_no_counter() -> None:
    one = device(field197=NOT_SUPPORTED, pcie0=[3, 4], pcie1=5)
    assert "pcie_sent" not in one.read(0)
    assert one.read(SECOND)["pcie_sent"] == 3000
    assert "pcie_sent" not in one.read(SECOND + 1)
    assert one.read(3 * SECOND)["pcie_sent"] == 4000


def test_an_older_driver_knows_throttling_by_another_name() -> None:
    assert device(throttle=-13, throttle_by_old_name=8).read(0)["throttle"] == 8
    one = device(throttle=-13)
    assert "throttle" not in one.read(0)
    assert "throttle reasons" in reasons(one)


def test_several_devices_are_numbered_as_cuda_does() -> None:
    nvml = opened(gpu(number=0), gpu(number=1), CUDA_VISIBLE_DEVICES="1,0")
    assert [(one.subject, one.identity()["uuid"]) for one in nvml.devices] == [
        ("device 0", "GPU-1"),
        ("device 1", "GPU-0"),
    ]
    assert nvml.devices[0].identity()["name"] == "H100"


def test_a_mig_part_has_memory_of_its_own_and_no_utilisation() -> None:
    parts = [
        {"uuid": "MIG-a", "gi": 1, "ci": 0, "memory": 111},
        {"uuid": "MIG-b", "gi": 2, "ci": 0, "memory": 222},
    ]
    nvml = opened(gpu(parts=parts), CUDA_VISIBLE_DEVICES="MIG-b")
    (one,) = nvml.devices
    found = one.read(0)
    assert (found["memory_used"], found["power"]) == (222, 612.5)
    assert "sm_utilisation" not in found
    assert "divided by MIG" in reasons(one)["utilisation"]
    assert one.identity()["MIG"] == "MIG-b"


def test_under_wsl_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "perfkit.capture.nvml.platform.release", lambda: "5.15-microsoft-standard-WSL2"
    )
    one = device(power=NOT_SUPPORTED)
    one.read(0)
    assert "WSL" in reasons(one)["power"]


def test_an_old_binding_is_a_reason() -> None:
    without = _Without(FakeNvml([gpu()]), "nvmlDeviceGetFieldValues")
    nvml = Nvml(without, pid=77, environment={})
    (one,) = nvml.devices
    assert one.read(0)["temperature"] == 71
    assert "too old" in reasons(one)["NVLink traffic"]


def test_closing_twice_shuts_down_once() -> None:
    fake = FakeNvml([gpu()])
    nvml = Nvml(fake, environment={})
    nvml.close()
    nvml.close()
    assert fake.closed == 1


def test_numa_nodes_as_linux_tells_them(tmp_path: Path) -> None:
    folder = tmp_path / "bus/pci/devices/0000:3b:00.0"
    folder.mkdir(parents=True)
    assert _numa.of_bus("00000000:3B:00.0", tmp_path) is None
    (folder / "numa_node").write_text("-1\n")
    assert _numa.of_bus("00000000:3B:00.0", tmp_path) is None
    (folder / "numa_node").write_text("1\n")
    assert _numa.of_bus("00000000:3B:00.0", tmp_path) == 1
    for node, cores in (("node0", "0-1"), ("node1", "2,4-5")):
        (tmp_path / "devices/system/node" / node).mkdir(parents=True)
        (tmp_path / "devices/system/node" / node / "cpulist").write_text(cores + "\n")
    assert _numa.of_processors(tmp_path) == {0: 0, 1: 0, 2: 1, 4: 1, 5: 1}
    assert _numa.of_processors(tmp_path / "nowhere") == {}


class _Without:
    """An edge that lacks one function."""

    def __init__(self, fake: FakeNvml, name: str) -> None:
        self._fake, self._name = fake, name

    def __getattr__(self, name: str) -> object:
        if name == self._name:
            raise AttributeError(name)
        return getattr(self._fake, name)
