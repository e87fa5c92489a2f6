"""GPU-trace callbacks reach whoever listens, while they listen."""

from __future__ import annotations

from perfkit.detectors import gpu_trace


def test_a_wait_reaches_listeners_until_they_leave():
    seen: list[str] = []
    with gpu_trace.Waits(seen.append):
        gpu_trace._tell("stream")
    gpu_trace._tell("stream")
    assert seen == ["stream"]
