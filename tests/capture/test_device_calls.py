"""What is counted as asked of the device, and what is not."""

from __future__ import annotations

import inspect

import pytest
import torch

from perfkit.capture.device_calls import device_calls, observable
from perfkit.detectors.places import resolve
from perfkit.pretend import assume_moved, pretend_cuda


def heard(program):
    """(operators, copies) of a program under the pretence: lists of (operator, amount)."""
    launched, copied = [], []
    with (
        pretend_cuda(),
        device_calls(
            lambda op, place, amount, fix: launched.append((op, amount)),
            lambda op, place, amount, fix: copied.append((op, amount)),
        ),
    ):
        program()
    return launched, copied


def test_host_work_views_and_allocations_are_no_device_work():
    def program():
        torch.ones(4).sum()
        torch.empty(2, 3, device="cuda").view(6)[1:].t()

    assert heard(program) == ([], [])


def test_operators_of_forward_and_backward_are_heard():
    def program():
        x = torch.ones(2, device="cuda", requires_grad=True)
        (x * 2).sum().backward()

    names = [name for name, _ in heard(program)[0]]
    assert names[:2] == ["aten::mul.Tensor", "aten::sum"]
    assert names.count("aten::mul.Tensor") == 2


def test_inference_mode_hands_over_the_same_operators():
    def program():
        torch.nn.functional.linear(*(torch.ones(2, 2, device="cuda") for _ in range(2)))

    def inference():
        with torch.inference_mode():
            program()

    assert heard(inference) == heard(program)


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("non_blocking", [False, True])
@pytest.mark.parametrize("how", ["to", "copy_"])
def test_every_copy_to_the_device_is_counted_once(pinned, non_blocking, how):
    def program():
        source = torch.ones(3)
        source = source.pin_memory() if pinned else source
        if how == "to":
            source.to("cuda", non_blocking=non_blocking)
        else:
            torch.empty(3, device="cuda").copy_(source, non_blocking=non_blocking)

    assert sum(amount for _, amount in heard(program)[1]) == 12


def test_copies_to_the_host_are_not_counted():
    assert heard(lambda: torch.ones(3, device="cuda").cpu())[1] == []


def test_the_place_is_the_programs_line():
    places = []
    with pretend_cuda():
        x = torch.ones(1, device="cuda")
        with device_calls(lambda op, place, *_: places.append(place), lambda *_: None):
            x.add(1)
    line = inspect.getsourcelines(test_the_place_is_the_programs_line)[1] + 5
    assert [frame.line for frame in resolve(places[0])[:1]] == [line]


def test_copies_can_be_observed_only_with_a_device_or_a_pretended_one():
    assert observable() is torch.cuda.is_available()
    with assume_moved():
        assert not observable()
    with pretend_cuda():
        assert observable()


@pytest.mark.gpu
def test_on_a_gpu_the_same_program_asks_for_the_same():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    launched, copied = [], []
    host = torch.ones(3)
    with device_calls(
        lambda op, place, amount, fix: launched.append(op),
        lambda op, place, amount, fix: copied.append(amount),
    ):
        x = host.to("cuda")
        (x * 2).sum()
        torch.tensor([1.0, 2.0], device="cuda")
        host.pin_memory().to("cuda", non_blocking=True)
    assert sum(copied) == 12 + 8 + 12
    assert {"aten::mul.Tensor", "aten::sum"} <= set(launched)
