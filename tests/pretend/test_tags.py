"""Tags hang on storages and leave with them."""

from __future__ import annotations

import torch

from perfkit.pretend import pretend_cuda, tags


def test_a_freed_storage_does_not_pass_its_tag_on():
    with pretend_cuda():
        for _ in range(300):
            torch.zeros(1000, device="cuda")
            assert not torch.zeros(1000).is_cuda


def test_views_share_the_tag_and_copies_do_not():
    tensor = torch.zeros(4)
    tags.put(tags.device, tensor)
    assert tags.on_device(tensor[1:].view(3, 1).detach()) and not tags.on_device(tensor.clone())
    tags.remove(tags.device, tensor)
    assert not tags.on_device(tensor)


def test_what_nobody_holds_is_forgotten():
    kept = torch.zeros(1)
    tags.put(tags.device, kept)
    tags.put(tags.device, torch.zeros(1))
    tags.purge()
    assert len(tags.device) == 1 and tags.on_device(kept)
    tags.clear()
    assert tags.device == {}


def test_a_pending_storage_can_be_adopted():
    tensor = torch.zeros(1)
    tags.put(tags.pending, tensor)
    tags.adopt(tags.address(tensor))
    assert tags.on_device(tensor) and tags.pending == {}
    tags.clear()


def test_a_sparse_tensor_answers_for_its_values():
    assert tags.address(torch.eye(2).to_sparse()) != 0
