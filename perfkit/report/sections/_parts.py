"""Names of the parts of a step for people, and their colours."""

from __future__ import annotations

HOST = {
    "python": "Python, or no event",
    "aten": "ATen operators",
    "launching": "runtime calls: launches, allocations",
    "sync_wait": "waiting for the device",
    "loading": "loading data",
    "other": "other: profiler, CPU collectives",
}
DEVICE = {
    "compute": "compute",
    "exposed_comm": "exposed communication",
    "exposed_copies": "exposed copies and fills",
    "graph_gaps": "between kernels of a CUDA graph",
    "idle": "idle",
}
CAUSES = {
    "sync": "the host waited until the device ran dry",
    "loading": "the host loaded data",
    "python": "the host was in Python",
    "aten": "the host was in ATen operators",
    "launching": "the host was in runtime calls",
    "other": "the host did something else",
    "collective": "queued behind a collective",
    "stream": "queued behind another stream or process",
    "handover": "from one queued kernel to the next",
}
COLOURS = {
    "compute": "--c1",
    "exposed_comm": "--c2",
    "exposed_copies": "--c3",
    "graph_gaps": "--c4",
    "idle": "--c0",
    "aten": "--c1",
    "launching": "--c2",
    "sync_wait": "--c3",
    "loading": "--c4",
    "python": "--good",
    "other": "--c0",
}
