"""The dispatch mode carries placement and counts work."""

from __future__ import annotations

import pytest
import torch

from perfkit.detectors.places import TORCH_VERSION
from perfkit.pretend import pretend_cuda
from tests.pretend.watching import counts


def test_mixing_devices_is_noted_not_fatal():
    with pretend_cuda() as pretence:
        torch.ones(2, device="cuda") + torch.ones(2)
        assert any("mixes host and device" in note.what for note in pretence.notes())


def test_dispatched_counts_work_and_not_views():
    with pretend_cuda() as pretence:
        x = torch.ones(4, device="cuda")
        before = pretence.dispatched
        (x + 1).view(2, 2).t().mul(2)
        assert pretence.dispatched - before == 2


@pytest.mark.skipif(TORCH_VERSION < (2, 9), reason="nested tensors had no matmul_backward yet")
def test_tensors_that_dispatch_themselves_keep_their_place():
    with pretend_cuda():
        parts = [torch.rand(2, 3), torch.rand(1, 3)]
        nested = torch.nested.nested_tensor(parts, layout=torch.jagged, device="cuda")
        weight = torch.rand(3, 4, device="cuda", requires_grad=True)
        (nested @ weight).values().sum().backward()
        assert nested.is_cuda and weight.grad.is_cuda


def test_what_cpp_makes_for_itself_follows_the_program():
    with pretend_cuda():
        picked = torch.combinations(torch.arange(4, device="cuda"), 2)
        assert picked.is_cuda


def test_a_type_only_cuda_has_a_kernel_for_is_widened_and_cast_back():
    with pretend_cuda():
        counted = torch.histc(torch.tensor([1, 2, 2], device="cuda"), bins=2, min=1, max=2)
        assert counted.tolist() == [1, 2] and counted.dtype == torch.int64


@pytest.mark.parametrize("make", [torch.Tensor.to_sparse, torch.Tensor.to_sparse_csr])
def test_indices_of_a_sparse_tensor_lie_where_it_lies(make):
    there, host = make(torch.eye(3)), make(torch.eye(3))
    parts = ("indices", "values") if there.layout == torch.sparse_coo else (
        "crow_indices", "col_indices", "values")  # fmt: skip
    with pretend_cuda():
        there = there.cuda()
        assert all(getattr(there, part)().is_cuda for part in parts)
        assert make(torch.eye(3, device="cuda")).t().is_cuda
        assert not any(getattr(host, part)().is_cuda for part in parts)


def test_a_mask_made_from_the_indices_of_a_sparse_tensor_is_read():
    def without_loops():
        edges = torch.eye(3).to_sparse().cuda().indices()
        return edges[:, edges[0] != edges[1]]

    assert counts(without_loops) == {"h2d": 1, "mask_index": 1}
