"""The detectors' settings: which one is chosen, and when a pretence is left."""

from __future__ import annotations

import pytest
import torch

from perfkit.base.errors import PerfkitError
from perfkit.capture.instruments import Detectors, choose
from perfkit.detectors.evidence import Evidence

WITHOUT_GPU = pytest.mark.skipif(torch.version.cuda is not None, reason="for builds without CUDA")


@pytest.fixture
def opened(monkeypatch):
    """Detectors in the automatic setting; `knows` says whether the program speaks of CUDA."""
    made = []

    def make(knows, wanted="auto"):
        detectors = Detectors(wanted, Evidence())
        monkeypatch.setattr(detectors._asked, "by_program", lambda: knows)
        detectors.open()
        made.append(detectors)
        return detectors

    yield make
    for detectors in made:
        detectors.close()


@WITHOUT_GPU
def test_asking_for_a_gpu_that_is_not_there_is_told():
    with pytest.raises(PerfkitError, match="no CUDA device"):
        choose("cuda")


@WITHOUT_GPU
def test_the_automatic_setting_pretends_where_there_is_no_gpu():
    assert choose("auto") == "pretend-cuda"
    assert choose("cpu") == "cpu"


@WITHOUT_GPU
def test_a_pretence_in_use_is_kept(opened):
    detectors = opened(knows=False)
    kept = torch.ones(2, device="cuda")
    detectors.settle(9, training=True)
    assert detectors.device == "pretend-cuda"
    assert kept.is_cuda


@WITHOUT_GPU
def test_a_program_that_knows_of_cuda_may_still_move_there(opened):
    detectors = opened(knows=True)
    detectors.settle(9, training=False)
    detectors.settle(1, training=True)
    assert detectors.device == "pretend-cuda"


@WITHOUT_GPU
def test_a_pretence_asked_for_by_name_is_kept_and_its_disuse_told(opened):
    detectors = opened(knows=False, wanted="pretend-cuda")
    detectors.settle(9, training=True)
    detectors.close()
    assert detectors.device == "pretend-cuda"
    assert "--device cpu" in detectors.gaps()[-1].why


@WITHOUT_GPU
@pytest.mark.parametrize(("knows", "steps", "training"), [(False, 1, False), (True, 2, True)])
def test_a_pretence_that_nobody_misses_is_left(opened, knows, steps, training):
    detectors = opened(knows)
    assert torch.cuda.is_available()
    detectors.settle(steps, training)
    assert detectors.device == "cpu"
    assert not torch.cuda.is_available()
    assert "never used" in detectors.gaps()[0].why
