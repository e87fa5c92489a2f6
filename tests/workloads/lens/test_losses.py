from dataclasses import replace

import pytest
import torch

from perfkit.workloads.lens.losses import APPROXIMATE, EXACT, LOSSES
from perfkit.workloads.lens.training import train

from .sizes import SMALL

CPU = torch.device("cpu")
NOT_HERE = {"compiled", "triton", "side_stream"}  # a compiler, triton or CUDA


def test_every_loss_is_either_exact_or_approximate():
    assert set(EXACT) | set(APPROXIMATE) == set(LOSSES)
    assert not set(EXACT) & set(APPROXIMATE)


@pytest.mark.parametrize("name", sorted(set(EXACT) - NOT_HERE - {"slow_dict"}))
def test_every_exact_loss_trains_the_same_lens(name, capsys):
    config = replace(SMALL, steps=4, log_every=1)
    found = train(config, EXACT[name], CPU).printed
    assert found == pytest.approx(train(config, EXACT["slow_dict"], CPU).printed, rel=1e-4)


@pytest.mark.parametrize("name", sorted(APPROXIMATE))
def test_every_approximate_loss_trains_another_lens(name, capsys):
    config = replace(SMALL, steps=12, log_every=1)
    found = train(config, APPROXIMATE[name], CPU).printed
    assert found[-1] < found[0]
    assert found != pytest.approx(train(config, EXACT["analytic"], CPU).printed, rel=1e-4)
