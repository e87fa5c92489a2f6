"""A real `libnvidia-ml.so.1`, compiled from our own C file, that nvidia-ml-py loads as it loads NVIDIA's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).with_name("fake_nvml.c")
_READ = """
import json, sys
from perfkit.capture.nvml import Nvml
nvml = Nvml(pid=77)
moments = [0, 1_000_000_000, 2_000_000_000]
print(json.dumps({
    "gaps": [[gap.what, gap.why] for gap in nvml.gaps],
    "devices": [
        {
            "subject": one.subject,
            "identity": one.identity(),
            "read": [one.read(at) for at in moments],
            "unavailable": {gap.what: gap.why for gap in one.unavailable()},
        }
        for one in nvml.devices
    ],
}))
nvml.close()
"""
WHOLE: Mapping[str, object] = {
    "name": "H100",
    "utilisation": 97,
    "memory_utilisation": 41,
    "memory": 5 << 30,
    "memory_total": 80 << 30,
    "sm_clock": "1980 1410 1410",
    "memory_clock": 2619,
    "most": 1980,
    "power": "612500 700000 701000",
    "limit": 700000,
    "energy": "9000000 9650000 10300000",
    "heat": 71,
    "throttle": "0 4 0x40",
    "field138": "100 300 600",
    "field139": "0 0 0",
    "field197": "1000 3000 4000",
    "field198": "1000 1000 1000",
    "process": "77:3221225472",
    "share": "77:40",
}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds it; skips with the reason where it cannot be built."""
    return built(tmp_path_factory.mktemp("nvml"))


def built(folder: Path, *flags: str) -> Path:
    """Compile it into `folder`."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler on Linux")
    target = folder / "libnvidia-ml.so.1"
    words = [compiler, "-shared", "-fPIC", *flags, "-o", str(target), str(SOURCE)]
    subprocess.run(words, check=True, timeout=60)
    return folder


def script(path: Path, *devices: Mapping[str, object], **others: object) -> Path:
    """Write what the library is to answer; see the head of its source."""
    lines = [f"count {len(devices)}", *(f"{key} {value}" for key, value in others.items())]
    for index, device in enumerate(devices):
        values = {"uuid": f"GPU-{index}{index}{index}{index}", "bus": f"00000000:0{index}:00.0"}
        lines += [f"{index}.{key} {value}" for key, value in {**values, **device}.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def environment(folder: Path, scripted: Path, **more: str) -> dict[str, str]:
    """Of a process that finds the library where it looks for NVIDIA's."""
    known = {k: v for k, v in os.environ.items() if not k.startswith("CUDA_")}
    return {**known, "LD_LIBRARY_PATH": str(folder), "FAKE_NVML": str(scripted), **more}


def read(folder: Path, scripted: Path, **more: str) -> dict[str, Any]:
    """What a process of its own reads three times through nvidia-ml-py, a second apart."""
    done = subprocess.run(
        [sys.executable, "-c", _READ],
        env=environment(folder, scripted, **more),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
