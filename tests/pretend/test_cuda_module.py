"""`torch.cuda` under the pretence."""

from __future__ import annotations

import pytest
import torch

from perfkit.pretend import pretend_cuda
from tests.pretend.watching import counts


def test_streams_and_events_only_count_explicit_waits():
    def program():
        event, stream = torch.cuda.Event(enable_timing=True), torch.cuda.Stream()
        with torch.cuda.stream(stream):
            event.record()
        torch.cuda.current_stream().wait_stream(stream)
        stream.wait_event(event)
        event.synchronize()

    assert counts(program) == {"synchronize": 1}


def test_a_graph_capture_is_refused_rather_than_wrong():
    with pretend_cuda(), pytest.raises(NotImplementedError, match="cannot be imitated"):
        torch.cuda.CUDAGraph()
