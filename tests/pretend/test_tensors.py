"""Tensors say where they would be."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from perfkit.pretend import pretend_cuda


@pytest.mark.parametrize(
    ("expression", "device"),
    [
        ("torch.zeros(2)", "cpu"),
        ("torch.zeros(2, device='cuda')", "cuda:0"),
        ("torch.zeros(2, device=0)", "cuda:0"),
        ("torch.zeros(2).to('cuda')", "cuda:0"),
        ("torch.zeros(2).cuda()", "cuda:0"),
        ("torch.zeros(2).cuda().cpu()", "cpu"),
        ("torch.zeros(2).cuda()[:1].view(1).detach()", "cuda:0"),
        ("torch.zeros(2).cuda() + 1", "cuda:0"),
        ("torch.zeros(2).cuda().to(torch.float64)", "cuda:0"),
        ("torch.zeros(2).to(torch.zeros(1).cuda())", "cuda:0"),
        ("torch.zeros_like(torch.zeros(2).cuda())", "cuda:0"),
        ("torch.zeros_like(torch.zeros(2).cuda(), device='cpu')", "cpu"),
        ("torch.zeros(2).cuda().new_zeros(3)", "cuda:0"),
        ("torch.zeros(2).cuda().new_zeros(3, device='cpu')", "cpu"),
        ("torch.zeros(2).cuda().new_tensor([1.0])", "cuda:0"),
        ("torch.tensor([1, 2], device='cuda')", "cuda:0"),
        ("torch.as_tensor([1, 2])", "cpu"),
        ("torch.cuda.FloatTensor(3)", "cuda:0"),
        ("nn.Linear(2, 2, device='cuda').weight", "cuda:0"),
        ("nn.Linear(2, 2).cuda().weight", "cuda:0"),
        ("copy.deepcopy(nn.Linear(2, 2).cuda()).weight", "cuda:0"),
        ("copy.deepcopy(torch.zeros(2).cuda())", "cuda:0"),
        ("torch.rand(3, generator=torch.Generator('cuda'), device='cuda')", "cuda:0"),
        ("torch.empty(2, device='meta')", "meta"),
        ("torch.zeros(2).cuda().nonzero()", "cuda:0"),
        ("torch.combinations(torch.arange(3).cuda())", "cuda:0"),
        ("torch.nn.functional.one_hot(torch.arange(3).cuda(), 3)", "cuda:0"),
        ("torch.eye(3).cuda().to_sparse()", "cuda:0"),
    ],
)
def test_a_tensor_says_where_it_would_be(expression, device):
    with pretend_cuda():
        tensor = eval(expression, {"torch": torch, "nn": nn, "copy": copy})
        assert str(tensor.device) == device
        assert tensor.is_cuda == device.startswith("cuda")
