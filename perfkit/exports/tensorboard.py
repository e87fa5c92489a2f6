"""A TensorBoard log directory for torch_tb_profiler, made of any Kineto trace.

`tb_compatible` does the rewriting; capture uses it too, and lies below this room.
"""

from __future__ import annotations

import re
from pathlib import Path

from perfkit.io.tb_compat import tb_compatible
from perfkit.model.run import Gap

__all__ = ["tensorboard", "tb_compatible"]

_SUFFIXES = re.compile(r"((\.\d+)?\.pt\.trace)?\.json(\.gz)?$")


def tensorboard(trace: Path, logdir: Path) -> tuple[Path, tuple[Gap, ...]]:
    """Write `trace` into `logdir` under a name that the plugin finds.

    Returns the file, and what was mended or will not be shown.

    Raises:
        PerfkitError: no trace, or `logdir` cannot be written.
    """
    worker = _SUFFIXES.sub("", trace.name).replace(".", "_") or "trace"  # ".5" would be a time
    target = logdir / f"{worker}.pt.trace.json.gz"
    return target, tb_compatible(trace, target)
