"""NVML through its whole length: nvidia-ml-py, its loader, and a library of C with scripted answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.capture.nvml_library import WHOLE, built, library, read, script

__all__ = ["library"]


@pytest.mark.parametrize(
    ("init", "said"),
    [
        ("!9", "driver is not loaded"),
        ("!4", "no permission"),
        ("!18", "different versions"),
        ("!999", "Unknown Error"),
    ],
)
def test_a_driver_that_does_not_answer_leaves_a_reason(
    library: Path, tmp_path: Path, init: str, said: str
) -> None:
    found = read(library, script(tmp_path / "s", WHOLE, init=init))
    assert found["devices"] == []
    assert said in found["gaps"][0][1]


def test_no_library_is_no_driver(tmp_path: Path, library: Path) -> None:
    found = read(tmp_path, tmp_path / "none")
    if found["devices"]:
        pytest.skip("this machine has a driver of its own")
    assert found["gaps"][0][0] == "devices"


def test_two_devices_say_what_was_scripted(library: Path, tmp_path: Path) -> None:
    other = {**WHOLE, "name": "A100", "power": 250000}
    found = read(library, script(tmp_path / "s", WHOLE, other), CUDA_DEVICE_ORDER="PCI_BUS_ID")
    assert found["gaps"] == []
    first, second = found["devices"]
    assert [each["read"][0]["power"] for each in (first, second)] == [612.5, 250.0]
    assert [each["identity"]["name"] for each in (first, second)] == ["H100", "A100"]
    at = first["read"][1]
    assert (at["sm_utilisation"], at["memory_utilisation"]) == (0.97, 0.41)
    assert (at["sm_clock"], at["memory_clock"], at["throttle"]) == (1410e6, 2619e6, 4)
    assert at["energy"] - first["read"][0]["energy"] == 650
    assert (at["nvlink_sent"], at["nvlink_received"]) == (200 * 1024, 0)
    assert (at["pcie_sent"], at["pcie_received"]) == (2000, 0)
    assert (at["process_memory"], at["process_utilisation"]) == (3 << 30, 0.4)
    assert (first["read"][0]["sm_clock_limit"], first["read"][0]["power_limit"]) == (1980e6, 700)
    assert first["unavailable"] == {}


@pytest.mark.parametrize(
    ("key", "what", "name"),
    [
        ("utilisation", "utilisation", "sm_utilisation"),
        ("memory", "memory", "memory_used"),
        ("sm_clock", "SM clock", "sm_clock"),
        ("memory_clock", "memory clock", "memory_clock"),
        ("most", "highest SM clock", "sm_clock_limit"),
        ("power", "power", "power"),
        ("limit", "power limit", "power_limit"),
        ("energy", "energy", "energy"),
        ("heat", "temperature", "temperature"),
        ("throttle", "throttle reasons", "throttle"),
        ("field138", "NVLink traffic", "nvlink_sent"),
        ("field197", "PCIe traffic", "pcie_sent"),
        ("process", "this process's memory", "process_memory"),
        ("share", "this process's utilisation", "process_utilisation"),
    ],
)
def test_one_thing_not_supported_is_missing_and_nothing_else(
    library: Path, tmp_path: Path, key: str, what: str, name: str
) -> None:
    lacks = {k: v for k, v in WHOLE.items() if k != key}
    (device,) = read(library, script(tmp_path / "s", lacks))["devices"]
    assert list(device["unavailable"]) == [what]
    assert not any(name in values for values in device["read"])
    known = {name for values in device["read"] for name in values}
    assert len(known) >= 15


def test_no_permission_for_one_thing(library: Path, tmp_path: Path) -> None:
    refusing = {**WHOLE, "process": "!4", "share": "!4"}
    (device,) = read(library, script(tmp_path / "s", refusing))["devices"]
    reasons = device["unavailable"]
    assert "no permission" in reasons["this process's memory"]
    assert "no permission" in reasons["this process's utilisation"]


def test_a_gpu_that_is_lost_midway_ends_its_own_samples_only(library: Path, tmp_path: Path) -> None:
    losing = {**WHOLE, "sm_clock": "1980 !15"}
    first, second = read(library, script(tmp_path / "s", losing, WHOLE))["devices"]
    assert [len(values) > 5 for values in first["read"]] == [True, False, False]
    assert first["read"][2] == {}
    assert "lost" in first["unavailable"]["everything after that moment"]
    assert second["unavailable"] == {}


def test_a_part_of_a_divided_gpu(library: Path, tmp_path: Path) -> None:
    divided = {**WHOLE, "mig": 1, "parts": 7}
    del divided["utilisation"]
    scripted = script(tmp_path / "s", divided)
    more = ["10.uuid MIG-aaaa", "10.gi 3", "10.ci 0", "10.memory 1000", "10.memory_total 2000"]
    scripted.write_text(scripted.read_text() + "\n".join(more) + "\n")
    (device,) = read(library, scripted, CUDA_VISIBLE_DEVICES="MIG-GPU-0000/3/0")["devices"]
    assert device["identity"]["MIG"] == "MIG-aaaa"
    assert (device["read"][0]["memory_used"], device["read"][0]["power"]) == (1000, 612.5)
    assert "MIG" in device["unavailable"]["utilisation"]


def test_an_older_driver_is_asked_by_the_older_name(tmp_path: Path) -> None:
    folder = built(tmp_path, "-DOLD_DRIVER")
    (device,) = read(folder, script(tmp_path / "s", WHOLE))["devices"]
    assert device["read"][1]["throttle"] == 4


def test_the_second_device_alone(library: Path, tmp_path: Path) -> None:
    scripted = script(tmp_path / "s", WHOLE, {**WHOLE, "power": 1000})
    (device,) = read(library, scripted, CUDA_VISIBLE_DEVICES="GPU-1111")["devices"]
    assert (device["subject"], device["read"][0]["power"]) == ("device 0", 1.0)
