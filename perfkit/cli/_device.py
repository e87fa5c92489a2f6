"""The `--device` of commands that run something here."""

from __future__ import annotations

from perfkit.base.errors import PerfkitError


def device_name(wanted: str) -> str:
    """`cuda` where one is there and not refused, otherwise `cpu`.

    Raises:
        PerfkitError: no such device.
    """
    import torch

    if wanted not in ("auto", "cpu", "cuda"):
        raise PerfkitError(f"{wanted!r} is no device", "use auto, cpu or cuda")
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise PerfkitError("no CUDA device is here", "perfkit doctor says why; --device cpu works")
    return "cuda" if there and wanted != "cpu" else "cpu"
