"""The interposer sees calls made inside C++ and goes away without a trace."""

from __future__ import annotations

import threading

import pytest
import torch

from perfkit.detectors.interposer import Interposer, available

pytestmark = pytest.mark.skipif(
    not available(), reason="torch.library.get_kernel came with torch 2.9"
)
READ = "aten::_local_scalar_dense"


@pytest.fixture
def seen():
    calls = []

    def around(op, original, args, kwargs):
        calls.append(op)
        return original(*args, **kwargs)

    with Interposer([READ], "CPU", around):
        yield calls


def test_other_operators_are_left_alone(seen):
    torch.ones(3).add(1).sum()
    assert seen == []


def test_reads_from_python_from_cpp_and_from_threads_are_seen(seen):
    assert torch.tensor(3.0).item() == 3.0
    torch.allclose(torch.ones(1), torch.ones(1))
    thread = threading.Thread(target=lambda: int(torch.tensor(1)))
    thread.start()
    thread.join()
    assert seen == [READ] * 3


def test_nothing_is_seen_after_the_end():
    calls = []
    with Interposer(
        [READ], "CPU", lambda op, original, args, kwargs: calls.append(op) or original(*args)
    ):
        pass
    torch.tensor(1).item()
    assert calls == []


def test_an_operator_without_a_kernel_is_reported():
    with Interposer(["aten::_coalesce"], "CPU", lambda *a: None) as interposer:
        assert interposer.missing == ["aten::_coalesce"]


def test_an_exception_of_the_layer_reaches_the_caller():
    def refuse(op, original, args, kwargs):
        raise AssertionError("no reads here")

    with Interposer([READ], "CPU", refuse), pytest.raises(AssertionError, match="no reads here"):
        torch.tensor(1).item()
