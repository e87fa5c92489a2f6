"""Threads, autocast, scalers and loaders under the pretence."""

from __future__ import annotations

import threading

import torch
from torch import nn

from tests.pretend.watching import counts


def test_threads_are_watched_too():
    def program():
        value = torch.ones(1, device="cuda")
        thread = threading.Thread(target=lambda: value.item())
        thread.start()
        thread.join()

    assert counts(program) == {"item": 1}


def test_autocast_and_the_scaler_run():
    def program():
        model = nn.Linear(2, 2).cuda()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        scaler = torch.amp.GradScaler("cuda")
        with torch.autocast("cuda", dtype=torch.bfloat16):
            out = model(torch.ones(1, 2, device="cuda"))
        assert out.dtype == torch.bfloat16 and out.is_cuda
        scaler.scale(out.sum()).backward()
        scaler.step(optimizer)
        scaler.update()

    assert counts(program).get("grad_scaler") == 1


def test_loader_batches_are_pinned_and_travel_without_waiting():
    def program():
        data = torch.utils.data.TensorDataset(torch.rand(8, 2))
        for (batch,) in torch.utils.data.DataLoader(
            data, batch_size=4, pin_memory=True, num_workers=1
        ):
            assert batch.is_pinned() and batch.to("cuda", non_blocking=True).is_cuda

    assert counts(program) == {}


def test_a_forked_child_is_left_in_peace():
    def program():
        data = [torch.ones(1)] * 4
        loader = torch.utils.data.DataLoader(data, collate_fn=_reads, num_workers=1)
        assert len(list(loader)) == 4

    assert counts(program) == {}


def _reads(batch):
    return float(batch[0].item())
