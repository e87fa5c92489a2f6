"""Where an operator call belongs: the module whose forward runs, and the user's line.

A backward belongs where its forward was. Autograd numbers its nodes in the order of the forward, so
a list of "from this number on, this module" places every node, with nothing kept per view.
"""

from __future__ import annotations

import sys
import threading
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.nn.modules import module as hooks
from torch.utils import checkpoint

from perfkit.detectors.places import is_machinery

_DEPTH = 80
_CHECKPOINT = checkpoint.__file__
_NOT_A_FORWARD = 1 << 60
"""Nodes that only sum gradients up carry the largest number there is."""


@dataclass(frozen=True)
class Site:
    """Module path (`CTRModel.layers.0.moe`), innermost frame of the user's program, and direction.

    `recomputed`: a checkpoint's forward, run again in the backward.
    """

    module: str | None
    place: tuple[str, CodeType, int] | None
    backward: bool = False
    recomputed: bool = False


class CallSites:
    """Follows the modules of the thread that made it.

    Modules are named by their path from the outermost module that was called.
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._names: WeakKeyDictionary[Any, dict[int, str]] = WeakKeyDictionary()
        self._stack: list[tuple[Any, str]] = []
        self._from: list[int] = [-1]
        self._sites: list[tuple[Site, bool]] = [(Site(None, None), False)]
        self._free = 0  # first autograd number that no entry stands for

    @contextmanager
    def following(self) -> Iterator[None]:
        """Hear of module calls inside the block."""
        before = hooks.register_module_forward_pre_hook(self._entered)
        after = hooks.register_module_forward_hook(self._left, always_call=True)
        try:
            yield
        finally:
            before.remove()
            after.remove()

    def now(self) -> Site:
        """The site of the operator call that runs now."""
        if torch._C._current_graph_task_id() != -1:
            # gradients are off in a backward, but for double backwards and checkpoints
            if torch.is_grad_enabled() and _in_checkpoint():
                here = threading.get_ident() == self._thread and self._stack
                return Site(self._stack[-1][1] if here else None, _place(), True, True)
            return self._of_forward()
        if threading.get_ident() != self._thread:
            return Site(None, _place())
        site = Site(self._stack[-1][1] if self._stack else None, _place())
        number = torch.autograd._get_sequence_nr() - 1
        if number >= self._free:  # the call made a node for its backward
            self._append(number, site, exact=True)
            self._free = number + 1
        return site

    @property
    def root(self) -> Any:
        """The outermost module whose forward runs, if any."""
        return self._stack[0][0] if self._stack else None

    def here(self) -> Site:
        """The line and the module that run now, whatever autograd does."""
        return Site(self._stack[-1][1] if self._stack else None, _place())

    def _of_forward(self) -> Site:
        node = torch._C._current_autograd_node()
        if node is None:
            return Site(None, None, True)
        number = node._sequence_nr()
        if number >= _NOT_A_FORWARD:
            return Site(None, None, True)
        at = bisect_right(self._from, number) - 1
        site, exact = self._sites[at]
        known = exact and self._from[at] == number
        return Site(site.module, site.place if known else None, True)

    def _entered(self, module: Any, args: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        self._stack.append((module, self._path(module)))
        self._bound()

    def _left(self, module: Any, args: Any, output: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        while self._stack:
            if self._stack.pop()[0] is module:
                break
        self._bound()

    def _bound(self) -> None:
        """From the next autograd node on, another module runs."""
        number = torch.autograd._get_sequence_nr()
        self._append(number, Site(self._stack[-1][1] if self._stack else None, None), exact=False)
        self._free = max(self._free, number)

    def _append(self, number: int, site: Site, exact: bool) -> None:
        self._from.append(number)
        self._sites.append((site, exact))

    def _path(self, module: Any) -> str:
        root = self._stack[0][0] if self._stack else module
        if (
            torch._C._current_graph_task_id() != -1
        ):  # a checkpoint's forward: a part of what ran before
            for names in self._names.values():
                if id(module) in names:
                    return names[id(module)]
        if root not in self._names:
            top = type(root).__name__
            self._names[root] = {
                id(inner): f"{top}.{name}" if name else top for name, inner in root.named_modules()
            }
        known = self._names[root].get(id(module))
        if known is not None:
            return known
        return f"{self._stack[-1][1]}.{type(module).__name__}"


def _in_checkpoint() -> bool:
    """A checkpoint runs its forward again: one of its frames is on the stack."""
    frame: FrameType | None = sys._getframe(3)
    for _ in range(_DEPTH):
        if frame is None:
            return False
        if frame.f_code.co_filename == _CHECKPOINT:
            return True
        frame = frame.f_back
    return False


def _place() -> tuple[str, CodeType, int] | None:
    frame: FrameType | None = sys._getframe(3)
    for _ in range(_DEPTH):
        if frame is None:
            return None
        code = frame.f_code
        if not is_machinery(code.co_filename):
            return code.co_filename, code, frame.f_lasti
        frame = frame.f_back
    return None
