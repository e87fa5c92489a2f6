import numpy as np
import pytest
import torch

from perfkit.workloads.ctr import memory
from perfkit.workloads.ctr.memory import PeakMemory

CPU = torch.device("cpu")


def test_what_was_held_for_a_while_is_seen():
    peak = PeakMemory(CPU)
    if peak.problem:
        pytest.skip(peak.problem)
    held = np.ones(8_000_000)
    del held
    taken = peak.taken()
    assert taken.bytes is not None and 60_000_000 < taken.bytes < 200_000_000


def test_where_the_mark_cannot_be_reset_the_peak_is_unknown_and_says_why(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "absent" / "clear_refs")
    taken = PeakMemory(CPU).taken()
    assert taken.bytes is None and "Linux" in taken.source
