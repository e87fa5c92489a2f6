"""A clock read around device work without waiting for it.

**What it finds**: `time.perf_counter()` and its likes before and after tensor operations with
nothing between that waits.

**Why it hurts**: launches return at once: the difference is the time of queueing, and the work is
charged to whoever waits next.

**Instead**: `torch.cuda.Event(enable_timing=True)` around the work, or `torch.cuda.synchronize()`
before each reading.

**When not to act**: code that runs on the CPU, or that wants the time of queueing.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK205"
KIND = None
FIX = "time with CUDA events, or synchronise before each reading of the clock"

SILENT = (
    "began = time.perf_counter()\n"
    "v = x @ y\n"
    "torch.cuda.synchronize()\n"
    "spent = time.perf_counter() - began",
    "began = time.perf_counter()\nspent = time.perf_counter() - began",
    "began = time.perf_counter()\nn = (x @ y).sum().item()\nspent = time.perf_counter() - began",
    "import time\n"
    "import torch\n"
    "\n"
    "began = time.time()\n"
    "v = torch.ones(3) + 1\n"
    "print(time.time() - began)\n",
)
FOUND = (
    "began = time.perf_counter()\n"
    "v = x.to('cuda') @ y\n"
    "spent = time.perf_counter() - began  # found",
)


def timed(site: Site) -> Found | None:
    """`time.perf_counter() - began`."""
    work, waits = site.facts.get("work"), site.facts.get("waits")
    if not work or waits or site.place.host or not site.facts.get("device"):
        return None
    return Found("`{code}` is read before the device has done the work", 2)
