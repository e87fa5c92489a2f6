"""Facts about the machine and the versions that a run was made on, as text for people."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

import torch


def environment() -> dict[str, str]:
    """Versions, processor, threads and GPU; only what could be read is in it."""
    facts = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "perfkit": _version("perfkit"),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _processor(),
        "cores": str(_cores()),
        "torch threads": str(torch.get_num_threads()),
        "float32 products": _float32_products(),
    }
    if torch.version.cuda:
        facts["cuda build"] = torch.version.cuda
    if torch.cuda.is_initialized():  # never the first to wake the driver: the program may choose
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        facts["gpu"] = properties.name
        facts["gpus visible"] = str(torch.cuda.device_count())
        facts["compute capability"] = f"{properties.major}.{properties.minor}"
    for variable in ("RANK", "WORLD_SIZE"):
        if variable in os.environ:
            facts[variable.lower().replace("_", " ")] = os.environ[variable]
    return {name: value for name, value in facts.items() if value}


def _float32_products() -> str:
    """How exact they are: "highest" is float32, "high" and "medium" let tensor cores take them."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # the program set it by an interface that this one refuses to mix with
        return ""


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), ""
    )
