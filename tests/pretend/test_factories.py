"""New tensors lie where the program asked for them."""

from __future__ import annotations

import torch
from torch import nn

from perfkit.pretend import pretend_cuda


def test_default_devices_are_followed():
    with pretend_cuda():
        with torch.device("cuda"):
            assert torch.zeros(1).is_cuda and nn.Linear(1, 1).weight.is_cuda
        assert not torch.zeros(1).is_cuda
        torch.set_default_device("cuda")
        assert torch.zeros(1).is_cuda and torch.get_default_device().type == "cuda"
        torch.set_default_device(None)
        assert not torch.zeros(1).is_cuda


def test_saving_and_loading_keep_the_device(tmp_path):
    with pretend_cuda():
        torch.save({"w": torch.arange(3.0).cuda()}, tmp_path / "a.pt")
        assert torch.load(tmp_path / "a.pt", map_location="cuda")["w"].is_cuda
        assert not torch.load(tmp_path / "a.pt", map_location="cpu")["w"].is_cuda
        assert torch.load(tmp_path / "a.pt", map_location="cuda")["w"].tolist() == [0.0, 1.0, 2.0]
