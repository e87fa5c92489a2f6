"""The most memory that something needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Peak:
    """`bytes` above what was held at the start; None where it cannot be known, with the reason."""

    bytes: int | None
    source: str


class PeakMemory:
    """Started when made; `taken` may be asked more than once.

    On CUDA the allocator's own peak; on a CPU the high-water mark of the process, which Linux alone
    can reset.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.start = 0
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self.start = torch.cuda.memory_allocated(device)
        else:
            self.problem = _reset_mark()
            self.start = _status("VmRSS") if not self.problem else 0

    def taken(self) -> Peak:
        """The peak so far."""
        if self.device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self.device)
            return Peak(peak - self.start, "CUDA allocator")
        if self.problem:
            return Peak(None, self.problem)
        return Peak(max(0, _status("VmHWM") - self.start), "process, high-water mark")


def _reset_mark() -> str:
    """Why the mark cannot be reset; empty where it was."""
    try:
        _CLEAR.write_text("5")
        _status("VmHWM")
    except (OSError, StopIteration):
        return "the high-water mark of a process can be reset on Linux only"
    return ""


def _status(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
