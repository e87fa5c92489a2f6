"""Marks of real little programs, and that torch is left as it was found."""

from __future__ import annotations

import threading

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.dataloader import _BaseDataLoaderIter

from perfkit.capture.marks import marking


class Heard:
    """Writes marks down, one letter each."""

    def __init__(self):
        self.word = ""

    def forward_started(self, key, now):
        self.word += "("

    def forward_ended(self, key, model, learns, now):
        self.word += ")" if learns else "]"

    def loader_next(self, key, now):
        self.word += "n"

    def loader_exhausted(self, key):
        self.word += "x"

    def backward_started(self, now):
        self.word += "B"

    def optimizer_made(self):
        self.word += "O"

    def optimizer_stepped(self, key, now):
        self.word += "o"


@pytest.fixture
def heard():
    torch.set_num_threads(1)
    ear = Heard()
    with marking(ear):
        yield ear


def net():
    return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))


def test_torch_is_left_as_it_was_found():
    before = (
        torch.nn.Module.__call__,
        _BaseDataLoaderIter.__next__,
        torch.autograd._engine_run_backward,
        torch.optim.Optimizer.__init__,
    )
    with marking(Heard()):
        assert torch.nn.Module.__call__ is not before[0]
    after = (
        torch.nn.Module.__call__,
        _BaseDataLoaderIter.__next__,
        torch.autograd._engine_run_backward,
        torch.optim.Optimizer.__init__,
    )
    assert after == before


def test_inner_modules_and_other_threads_are_not_heard(heard):
    model = net()
    model(torch.ones(1, 2))
    other = threading.Thread(target=model, args=(torch.ones(1, 2),))
    other.start()
    other.join()
    assert heard.word == "()"


def test_a_forward_repeated_by_checkpointing_in_backward_is_not_heard(heard):
    from torch.utils.checkpoint import checkpoint

    x = torch.ones(1, 2, requires_grad=True)
    checkpoint(torch.nn.Linear(2, 1), x, use_reentrant=False).sum().backward()
    assert heard.word == "()B"


def test_a_training_loop_with_a_loader(heard):
    model = net()
    optimizer = torch.optim.Adam(model.parameters())
    for (x,) in DataLoader(TensorDataset(torch.ones(4, 2)), batch_size=2):
        model(x).sum().backward()
        optimizer.step()
    assert heard.word == "O" + "n()Bo" * 2 + "nx"


def test_gradients_by_torch_autograd_grad(heard):
    x = torch.ones(2, requires_grad=True)
    torch.autograd.grad(x.sum(), x)
    assert heard.word == "B"


def test_inference_says_that_it_does_not_learn(heard):
    with torch.no_grad():
        net()(torch.ones(1, 2))
    assert heard.word == "(]"


def test_a_forward_that_fails_does_not_stay_open(heard):
    model = net()
    with pytest.raises(RuntimeError):
        model(torch.ones(1, 3))
    model(torch.ones(1, 2))
    assert heard.word == "(()"


def test_a_compiled_model_is_not_broken_apart(heard):
    from torch._dynamo.testing import CompileCounter

    counter = CompileCounter()
    compiled = torch.compile(net(), backend=counter, fullgraph=True)
    with torch.no_grad():
        compiled(torch.ones(1, 2))
    assert counter.frame_count == 1
    assert heard.word == "(]"
