"""Guards raise at the line that synchronises, and only there."""

from __future__ import annotations

import inspect
import threading

import pytest
import torch
from torch import nn

from perfkit.capture.guard import SyncBudgetError, allow_sync, max_syncs, no_sync
from perfkit.pretend import pretend_cuda


@pytest.fixture
def value():
    with pretend_cuda():
        yield torch.ones(2, device="cuda")


def test_device_work_passes(value):
    with no_sync():
        torch.where(value > 0, value, 0).sum()


def test_host_work_passes(value):
    with no_sync():
        torch.ones(2).sum().item()


def test_an_allowed_region_passes(value):
    with no_sync(), allow_sync("logging"):
        value.sum().item()


def test_what_depends_on_the_driver_passes_unless_asked_for(value):
    host = torch.ones(2)
    with no_sync():
        host.to("cuda", non_blocking=True)
    with pytest.raises(SyncBudgetError), no_sync(uncertain=True):
        host.to("cuda", non_blocking=True)


def test_another_threads_sync_passes(value):
    with no_sync():
        thread = threading.Thread(target=lambda: value.sum().item())
        thread.start()
        thread.join()


def test_a_sync_raises_at_its_line_with_the_fix(value):
    reached = False
    with pytest.raises(SyncBudgetError) as raised, no_sync():
        value.sum().item()
        reached = True
    line = inspect.getsourcelines(test_a_sync_raises_at_its_line_with_the_fix)[1] + 3
    assert not reached
    assert f"{__file__}:{line}" in str(raised.value)
    assert "keep the value on the device" in str(raised.value)


def test_a_budget_is_counted(value):
    with max_syncs(2):
        value[0].item()
        value[1].item()
    with (
        pytest.raises(SyncBudgetError, match=r"3 host.* where 2 are allowed"),
        max_syncs(2),
    ):
        for _ in range(3):
            value.nonzero()


def test_allowing_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="reason"), allow_sync(" "):
        pass


def test_without_any_device_parameters_count_as_on_it():
    model = nn.Linear(2, 1)
    with pytest.raises(SyncBudgetError), no_sync():
        model(torch.ones(1, 2)).item()
    with no_sync():
        torch.ones(1).item()
