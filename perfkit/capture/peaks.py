"""What this machine can do at most, measured with torch and kept for the next time.

Best of many calls in several passes: a peak is what is left when nothing disturbs, and neighbours come
in bursts. A machine that is busy throughout still shows; `perfkit peaks --again` when it is quiet
raises what was too low and lowers nothing. On a CPU the figures are those of torch's
present number of threads, and the vector figure is that of the product: the same units do both. On
CUDA the float32 product without TF32 runs on the vector units and stands for them; with HIP it does
not, and the vector figures stay unmeasured.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import torch

from perfkit import pretend
from perfkit.base.errors import NotObservable, PerfkitError
from perfkit.base.files import write_text
from perfkit.capture import _peak_figures as figures
from perfkit.capture.environment import environment
from perfkit.io import peaks as peaks_json
from perfkit.model.peaks import Peak, Peaks

BUDGET_S = 0.05
"""Seconds for each size and figure in one pass."""
PASSES = 3
_RATES = ("bandwidth", "h2d_pinned", "h2d_pageable", "d2h_pinned", "d2h_pageable")
_TIMES = ("launch_ns", "host_op_ns", "sync_ns")


@dataclass(frozen=True)
class Key:
    """What the figures depend on; another one means measuring anew."""

    device: str
    driver: str
    torch: str
    threads: int

    @property
    def file(self) -> Path:
        """Where the figures of this key are kept."""
        digest = hashlib.sha256(repr(self).encode()).hexdigest()[:16]
        return cache_folder(os.environ) / f"{digest}.json"


def measured_here(device: str = "cpu", again: bool = False) -> Peaks:
    """The figures of this machine's `cpu` or `cuda`: from the cache, else measured and kept.

    Takes some seconds where it measures, and leaves torch's settings as they were.

    Args:
        again: measure even if the cache has them, and keep the better of each figure.

    Raises:
        NotObservable: a pretend device is active, or there is no CUDA device.
    """
    reason = _not_here(device)
    if reason:
        raise NotObservable(reason)
    known = cached_here(device)
    if known is not None and not again:
        return known
    measured = _measure(torch.device(device))
    if known is not None:
        measured = better(known, measured)
    _keep(_key(device), measured)
    return measured


def cached_here(device: str = "cpu") -> Peaks | None:
    """The figures as measured earlier on this machine; None where they were not. Measures nothing."""
    if _not_here(device):
        return None
    try:
        held = json.loads(_key(device).file.read_text(encoding="utf-8"))
        if not isinstance(held, dict) or held.get("key") != _facts(_key(device)):
            return None
        return peaks_json.from_json(held.get("peaks"))
    except (OSError, ValueError):  # json's and unicode's errors are ValueErrors
        return None


def cache_folder(environ: Mapping[str, str]) -> Path:
    """`perfkit/peaks` in the user's cache folder (XDG Base Directory: relative paths are ignored)."""
    home = Path(environ.get("XDG_CACHE_HOME", ""))
    base = home if home.is_absolute() else Path(os.path.expanduser("~")) / ".cache"
    return base / "perfkit" / "peaks"


def _not_here(device: str) -> str:
    if pretend.is_active():
        return "a pretend device is active: its figures would be those of this CPU"
    if device == "cuda" and not torch.cuda.is_available():
        return "no CUDA device is here"
    return ""


def better(first: Peaks, second: Peaks) -> Peaks:
    """Of two measurements of one machine the better of each figure: disturbance only ever slows."""
    changes: dict[str, Any] = {}
    for name in _RATES + _TIMES:
        found = [peak for peak in (getattr(first, name), getattr(second, name)) if peak is not None]
        pick = max if name in _RATES else min
        changes[name] = pick(found, key=lambda peak: peak.value) if found else None
    for name in ("matmul", "vector"):
        one, other = getattr(first, name), getattr(second, name)
        changes[name] = {
            dtype: max(
                (side[dtype] for side in (one, other) if dtype in side), key=lambda peak: peak.value
            )
            for dtype in {**one, **other}
        }
    return replace(second, **changes)


def _measure(device: torch.device) -> Peaks:
    """All figures, pass after pass."""
    return reduce(better, (_pass(device) for _ in range(PASSES)))


def _pass(device: torch.device) -> Peaks:
    with torch.no_grad():
        matmul = figures.products(device, BUDGET_S)
        single: dict[str, Any] = {
            "bandwidth": figures.bandwidth(device, BUDGET_S),
            "host_op_ns": figures.host_operator(device),
        }
        if device.type == "cuda":
            single["launch_ns"] = figures.launch(device)
            single["sync_ns"] = figures.idle_sync(device)
            single |= figures.bus(device, BUDGET_S)
    return Peaks(
        device=_name(device.type),
        matmul=matmul,
        vector=_vector(matmul, device),
        compute_units=_units(device),
        clock="as it ran while measuring",
        **single,
    )


def _vector(matmul: Mapping[str, Peak], device: torch.device) -> dict[str, Peak]:
    """What products tell of the vector units."""
    if device.type == "cuda" and torch.version.hip:
        return {}
    same = ("float32", "float64") if device.type == "cpu" else ("float32",)
    return {
        dtype: Peak(peak.value, "measured", f"{peak.source}; the same units do both")
        for dtype, peak in matmul.items()
        if dtype in same
    }


def _units(device: torch.device) -> int | None:
    if device.type == "cpu":
        return None
    return int(torch.cuda.get_device_properties(device).multi_processor_count)


def _name(device: str) -> str:
    if device == "cuda":
        return str(torch.cuda.get_device_name())
    threads = torch.get_num_threads()
    processor = environment().get("cpu", "") or "this CPU"
    return f"{processor} ({threads} thread{'s' if threads != 1 else ''})"


def _key(device: str) -> Key:
    return Key(_name(device), _driver(device), str(torch.__version__), torch.get_num_threads())


def _driver(device: str) -> str:
    """The driver's version where torch can tell it; empty on a CPU."""
    if device == "cpu":
        return ""
    told = getattr(torch._C, "_cuda_getDriverVersion", None)
    return f"{told() if told else ''} {torch.version.cuda or torch.version.hip}"


def _facts(key: Key) -> dict[str, Any]:
    return {
        "device": key.device, "driver": key.driver, "torch": key.torch, "threads": key.threads
    }  # fmt: skip


def _keep(key: Key, peaks: Peaks) -> None:
    """Into the cache; a cache that cannot be written only means measuring again."""
    held = {"key": _facts(key), "peaks": peaks_json.to_json(peaks)}
    try:
        write_text(key.file, json.dumps(held, indent=1) + "\n")
    except (PerfkitError, OSError):
        return
