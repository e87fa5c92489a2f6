"""Copies are seen at the tensor methods, and only where the device changes."""

from __future__ import annotations

import pytest
import torch

from perfkit.detectors.copies import _flag, _leaves, host_device_copies


@pytest.fixture
def seen():
    calls = []

    def run(op, copy, arguments):
        out = copy()
        calls.append((op, arguments(out)[2]))
        return out

    with host_device_copies(run):
        yield calls


def test_casts_and_copies_on_one_device_pass(seen):
    x = torch.ones(2)
    x.to(torch.float64).to("cpu").to(x).copy_(torch.zeros(2))
    x.to("cpu", torch.float16, non_blocking=True)
    assert seen == []


def test_methods_are_put_back():
    with host_device_copies(lambda op, copy, arguments: copy()):
        assert "to" in vars(torch.Tensor)
    assert "to" not in vars(torch.Tensor)


def test_a_named_move_is_left_to_the_rule(seen):
    torch.ones(2).cpu()
    assert seen == [("aten::_to_copy", False)]


@pytest.mark.parametrize(
    ("args", "kwargs", "leaves"),
    [
        (("cuda",), {}, True),
        ((torch.device("cuda", 1), torch.float16), {}, True),
        ((), {"device": "cuda"}, True),
        ((0,), {}, True),
        (("cpu",), {}, False),
        ((torch.float16,), {}, False),
        ((torch.ones(1),), {}, False),
    ],
)
def test_where_a_call_leads(args, kwargs, leaves):
    if args == (0,) and not torch.cuda.is_available():
        pytest.skip("a bare index names the machine's accelerator, and there is none")
    assert _leaves(torch.ones(1), args, kwargs) is leaves


def test_non_blocking_is_found_behind_a_dtype():
    assert _flag(("cuda", torch.float16, True), 1) and _flag(("cuda", True), 1)
    assert not _flag(("cuda",), 1)
