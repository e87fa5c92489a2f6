"""Guards raise at the line that synchronises, and only there."""

from __future__ import annotations

import contextlib
import inspect
import threading

import pytest
import torch
from torch import nn

from perfkit.base.errors import PerfkitError
from perfkit.capture.guard import (
    CopyBudgetError,
    LaunchBudgetError,
    SyncBudgetError,
    allow_sync,
    max_h2d_bytes,
    max_launches,
    max_syncs,
    no_sync,
    watching,
)
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


def test_a_swallowed_sync_raises_at_the_end_of_the_block(value):
    def swallows():
        with contextlib.suppress(SyncBudgetError):
            value.sum().item()

    with pytest.raises(SyncBudgetError), no_sync():
        swallows()


def test_launches_within_the_budget_pass(value):
    with max_launches(2):
        value.add(1).mul(2)


def test_launches_over_the_budget_are_counted_to_the_end(value):
    with (
        pytest.raises(LaunchBudgetError, match=r"3 operators on the device where 1 are"),
        max_launches(1),
    ):
        for _ in range(3):
            value.add(1)


def test_guards_decorate_functions(value):
    @max_syncs(1)
    @max_launches(3)
    @max_h2d_bytes(8)
    def step(batch):
        return batch.to("cuda", non_blocking=True).add(value)

    for _ in range(2):  # each call has a budget of its own
        step(torch.ones(2))
    with pytest.raises(CopyBudgetError, match=r"16 bytes[\s\S]*step"):
        step(torch.ones(2, 2))


def test_an_exception_of_the_block_is_not_replaced(value):
    with pytest.raises(KeyError), max_launches(0):
        value.add(1)
        raise KeyError("mine")


def test_bytes_without_any_device_are_refused():
    if torch.cuda.is_available():
        pytest.skip("there is a device")
    with pytest.raises(PerfkitError, match="cannot be counted"), max_h2d_bytes(0):
        torch.ones(1)


def test_launches_without_any_device_are_those_of_what_counts_as_on_it():
    model = nn.Linear(2, 1)
    with pytest.raises(LaunchBudgetError), max_launches(0):
        model(torch.ones(1, 2))


def test_watching_counts_all_at_once(value):
    with watching() as watched:
        value.add(torch.ones(2).to("cuda")).sum().item()
    assert (watched.syncs.total, watched.launches.total, watched.copies.total) == (2, 2, 8)
    assert "aten::_to_copy" in watched.copies.costliest
