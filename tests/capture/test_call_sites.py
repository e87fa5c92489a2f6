"""Which module and line a call belongs to."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from perfkit.capture.call_sites import CallSites, Site


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class _Mode(TorchDispatchMode):
    """Asks for the site of every call; one frame deeper than a recorder would."""

    def __init__(self, sites: CallSites) -> None:
        super().__init__()
        self.sites = sites
        self.seen: list[tuple[str, Site]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self._look(func)
        return out

    def _look(self, func) -> None:
        self.seen.append((func.name().split(".")[0].removeprefix("aten::"), self.sites.now()))


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(4, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.up(x).tanh()) * 2


def seen(program) -> list[tuple[str, Site]]:
    sites = CallSites()
    mode = _Mode(sites)
    with sites.following(), mode:
        program()
    return mode.seen


def modules(found: list[tuple[str, Site]], op: str, backward: bool) -> list[str | None]:
    return [site.module for name, site in found if name == op and site.backward is backward]


def test_outside_of_modules_there_is_none() -> None:
    assert modules(seen(lambda: torch.ones(3) + 1), "add", False) == [None]


def test_nothing_stays_behind() -> None:
    before = (len(hooks._global_forward_pre_hooks), len(hooks._global_forward_hooks))
    seen(lambda: nn.Linear(2, 2)(torch.ones(1, 2)))
    assert (len(hooks._global_forward_pre_hooks), len(hooks._global_forward_hooks)) == before


def test_another_threads_modules_are_not_this_threads() -> None:
    def program() -> None:
        worker = threading.Thread(target=lambda: nn.Linear(2, 2)(torch.ones(1, 2)))
        worker.start()
        worker.join()
        torch.ones(2) + 1

    assert modules(seen(program), "add", False) == [None]


def test_modules_are_named_by_their_path_from_the_outermost() -> None:
    model = Scaled()
    found = seen(lambda: model(torch.ones(3, 4)))
    assert modules(found, "addmm", False) == ["Scaled.up", "Scaled.down"]
    assert modules(found, "tanh", False) == ["Scaled"]
    assert modules(found, "mul", False) == ["Scaled"]


def test_a_backward_belongs_to_the_module_of_its_forward() -> None:
    model = Scaled()
    found = seen(lambda: model(torch.ones(3, 4)).sum().backward())
    assert modules(found, "mm", True) == ["Scaled.down", "Scaled.down", "Scaled.up"]
    assert modules(found, "tanh_backward", True) == ["Scaled"]
    assert modules(found, "mul", True) == ["Scaled"]


def test_a_module_that_raises_is_left() -> None:
    class Raises(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError

    def program() -> None:
        with pytest.raises(ValueError):
            Raises()(torch.ones(1))
        torch.ones(1).exp()

    assert modules(seen(program), "exp", False) == [None]


def test_a_module_that_was_made_on_the_fly_is_named_by_its_class() -> None:
    class Outer(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return nn.Tanh()(x)

    assert modules(seen(lambda: Outer()(torch.ones(1))), "tanh", False) == ["Outer.Tanh"]


def test_the_line_of_a_backward_is_that_of_its_forward() -> None:
    weight = torch.ones(3, requires_grad=True)

    def program() -> None:
        made = weight.exp()
        made.sum().backward()

    found = seen(program)
    (forward,) = [site.place for name, site in found if name == "exp"]
    (backward,) = [site.place for name, site in found if name == "mul" and site.backward]
    assert forward is not None
    assert forward == backward
    assert forward[0] == __file__


def test_a_checkpoints_second_forward_is_told_with_the_module_it_is_a_part_of() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Scaled()

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.inner, x, use_reentrant=False)

    model = Outer()
    found = seen(lambda: model(torch.ones(3, 4)).sum().backward())
    again = [(name, site.module) for name, site in found if site.recomputed]
    assert ("tanh", "Outer.inner") in again
    assert ("addmm", "Outer.inner.up") in again
    assert all(site.backward for _, site in found if site.recomputed)
    assert not any(site.recomputed for name, site in found if "backward" in name)
