"""A real GPU: what NVML says at the same moment as nvidia-smi."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest

from perfkit.capture.nvml import Nvml

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="there is no nvidia-smi here"),
]
ASKED = {
    "memory.total": ("memory_total", 1 << 20, 0.05),
    "memory.used": ("memory_used", 1 << 20, 0.2),
    "clocks.mem": ("memory_clock", 1e6, 0.05),
    "temperature.gpu": ("temperature", 1, 0.1),
    "enforced.power.limit": ("power_limit", 1, 0.01),
    "clocks.max.sm": ("sm_clock_limit", 1e6, 0.01),
}
"""Field of nvidia-smi: our name, its unit in ours, relative difference allowed between two moments."""


def smi(uuid: str) -> dict[str, str]:
    words = ["nvidia-smi", f"--id={uuid}", "--format=csv,noheader,nounits"]
    words.append("--query-gpu=name," + ",".join(ASKED))
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    return dict(zip(["name", *ASKED], done.stdout.strip().split(", "), strict=True))


def test_the_same_numbers_as_nvidia_smi() -> None:
    nvml = Nvml()
    if not nvml.devices:
        pytest.skip(nvml.gaps[0].why)
    for device in nvml.devices:
        if "MIG" in device.identity():
            continue
        said = smi(device.identity()["uuid"])
        found = device.read(time.monotonic_ns())
        assert device.identity()["name"] == said["name"]
        missing = {gap.what for gap in device.unavailable()}
        for field, (name, unit, apart) in ASKED.items():
            if not said[field].replace(".", "", 1).isdecimal():
                assert name not in found, f"{field} is {said[field]}"
                continue
            assert found[name] == pytest.approx(float(said[field]) * unit, rel=apart), missing
    nvml.close()
