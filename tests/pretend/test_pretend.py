"""What a program must not notice."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from perfkit.base.errors import PerfkitError
from perfkit.pretend import is_active, pretend_cuda


def test_nothing_is_left_behind():
    before = (
        torch.zeros,
        torch.cuda.is_available,
        torch.Tensor.to,
        torch.Generator,
        torch.cuda.Event,
    )
    with pretend_cuda():
        assert torch.cuda.is_available() and is_active()
    after = (
        torch.zeros,
        torch.cuda.is_available,
        torch.Tensor.to,
        torch.Generator,
        torch.cuda.Event,
    )
    assert before == after
    assert not is_active() and torch.zeros(1).device.type == "cpu"
    assert "device" not in vars(torch.Tensor)


def test_two_pretences_at_once_are_refused():
    with pretend_cuda(), pytest.raises(PerfkitError, match="already active"), pretend_cuda():
        pass


def test_everything_is_put_back_after_an_exception():
    with pytest.raises(ZeroDivisionError), pretend_cuda():
        _ = 1 / 0
    assert not torch.cuda.is_available() or torch.version.cuda
    assert torch.zeros(1).device.type == "cpu"


def test_values_and_gradients_are_those_of_the_cpu():
    def loss_and_grad(device):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).to(device)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        x = torch.arange(12.0).reshape(3, 4).to(device)
        for _ in range(3):
            optimizer.zero_grad()
            loss = model(x).pow(2).mean()
            loss.backward()
            optimizer.step()
        return loss.item(), [p.grad.tolist() for p in model.parameters()]

    with pretend_cuda():
        pretended = loss_and_grad("cuda")
    assert pretended == loss_and_grad("cpu")
