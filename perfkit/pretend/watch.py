"""What is known while the pretence lasts, shared by the lies and the dispatch mode.

Judges calls by the catalogue and publishes hits. Threads share a `Watch`, each with its own `local`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from perfkit.catalogue import _index
from perfkit.catalogue._call import Arguments, Seen
from perfkit.detectors.evidence import publish
from perfkit.detectors.judging import hit_of, judged
from perfkit.detectors.places import (
    TORCH_VERSION,
    Origin,
    Place,
    is_dense,
    origin,
)
from perfkit.model.run import Gap
from perfkit.pretend import tags

Where = Literal["cuda", "cpu"]
_MOST_NOTES = 50
Record = Callable[[Any, Any, Any, Callable[[Any, Any, Any], Any]], Any]
"""(operator, args, kwargs, how to call it) -> result. Must call it once."""


class Local(threading.local):
    """Per-thread state.

    Attributes:
        ambient: the device that an enclosing factory call asked for; None inside C++ composites.
        op: operator the dispatch mode is executing, "" outside.
        quiet: while True nothing is published (the enclosing call has been judged as a whole).
    """

    ambient: Where | None = None
    op: str = ""
    quiet: bool = False


class WatchedCall(Arguments):
    """One ATen call as the catalogue's rules see it (`catalogue._call.Call`)."""

    @property
    def torch_version(self) -> tuple[int, int]:
        return TORCH_VERSION

    def on_device(self, value: Any) -> bool:
        return isinstance(value, Tensor) and tags.on_device(value)

    def on_host(self, value: Any) -> bool:
        if not isinstance(value, Tensor):
            return False
        return not tags.on_device(value)

    def pinned(self, value: Any) -> bool:
        return isinstance(value, Tensor) and tags.is_pinned(value) and is_dense(value)

    def literal(self, value: Any) -> bool:
        return isinstance(value, Tensor) and tags.address(value) in tags.literal


class Watch:
    """The state of one pretence.

    Attributes:
        assumed: True in the `cpu` setting, where placement is an assumption and nothing is certain.
        classify: False tracks placement only.
        used: anything was ever placed on the device.
        dispatched: operators run on device tensors so far, views and allocations left out.
        calls: everything the dispatch mode was asked about, which is what the pretence costs.
        record: makes the calls that `dispatched` counts, and looks at them; None to have them made.
        unwaited: hear of what is sent to the device without anybody waiting, so of no sync.
    """

    def __init__(self, assumed: bool) -> None:
        self.assumed = assumed
        self.classify = True
        self.used = False
        self.dispatched = 0
        self.calls = 0
        self.record: Record | None = None
        self.unwaited: list[Callable[[Tensor], None]] = []
        self.alive = True
        self.local = Local()
        self._notes: dict[tuple[str, str], int] = {}
        self._forward: dict[int, Place] = {}
        self._expected: dict[int, tuple[str, Seen, Place]] = {}
        self._pid = os.getpid()
        # operators whose backward was seen to synchronise: their forward line is worth remembering
        self.learned: set[str] = set()

    def place(self, tensor: Tensor, where: Where) -> None:
        """Say where a tensor lies."""
        if where == "cuda":
            self.used = True
            tags.remove(tags.pending, tensor)
            tags.put(tags.device, tensor)
        else:
            tags.remove(tags.device, tensor)

    def judge(self, op: str, args: Sequence[Any], label: str | None = None) -> None:
        """Judge a call by the catalogue's rules for `op`; `label` replaces the operator's name."""
        if self.listening():
            for kind, seen in judged(_index.rules().get(op, ()), WatchedCall(args, {})):
                self.publish(kind, label or op, seen)

    def listening(self) -> bool:
        return self.classify and self.alive and not self.local.quiet

    def publish(
        self, kind: str, op: str, seen: Seen, detector: str = "dispatch", at: Place | None = None
    ) -> None:
        """Publish one judged call at the place where it happens, or at the forward's if given."""
        if not self.listening():
            return
        came = origin(2)
        if kind == "item" and came.from_autograd and torch.is_anomaly_enabled():
            kind, at = (
                "anomaly_check",
                came.place,
            )  # every gradient's NaN check, whatever the forward
        place = at or self._place_of(came)
        if place is None:
            return
        certain = not self.assumed
        publish(hit_of(kind, op, seen, came, detector, place=place, certain=certain))

    def remember_forward(self, skip: int = 2) -> None:
        """Keep the place of the forward call that runs now, for syncs that its backward makes."""
        if len(self._forward) > 50_000:
            self._forward.clear()
        # VariableType makes the node, which takes the number, before it dispatches the kernel
        self._forward.setdefault(torch.autograd._get_sequence_nr() - 1, origin(skip).place)

    def expect_backward(self, kind: str, seen: Seen) -> None:
        """The gradient of the forward call that runs now will synchronise where no mode looks."""
        self._expected[torch.autograd._get_sequence_nr() - 1] = (kind, seen, origin(2).place)

    def backward_runs(self) -> None:
        """Publish what was expected of the autograd node that runs now, once."""
        if self._expected and self.listening():
            node = torch._C._current_autograd_node()
            expected = self._expected.pop(node._sequence_nr(), None) if node is not None else None
            if expected is not None:
                kind, seen, place = expected
                self.publish(kind, "", seen, at=place)

    def _place_of(self, came: Origin) -> Place | None:
        """The place, the forward's for autograd's work; None for what did not synchronise after all."""
        if not came.from_autograd:
            return came.place
        node = torch._C._current_autograd_node()
        if node is None:
            return came.place
        number = node._sequence_nr()
        # CopySlices nodes take their number one or two later
        for candidate in (number, number - 1, number - 2):
            if candidate in self._forward:
                return self._forward[candidate]
        if node.name().startswith("IndexPut"):
            return None  # the forward filled a mask with a number, and so does its gradient
        self.learned.add(_forward_name(node.name()))
        return came.place

    def note(self, what: str, why: str) -> None:
        """Remember something that could not be imitated or looked at, once per text."""
        if len(self._notes) < _MOST_NOTES:
            self._notes[what, why] = self._notes.get((what, why), 0) + 1

    def notes(self) -> tuple[Gap, ...]:
        """What could not be imitated or looked at."""
        return tuple(
            Gap(what, why if n == 1 else f"{why} ({n} times)")
            for (what, why), n in self._notes.items()
        )

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Publish nothing inside: the enclosing call is judged as a whole."""
        before, self.local.quiet = self.local.quiet, True
        try:
            yield
        finally:
            self.local.quiet = before

    @contextmanager
    def ambient(self, where: Where) -> Iterator[None]:
        """New tensors inside lie here."""
        before, self.local.ambient = self.local.ambient, where
        try:
            yield
        finally:
            self.local.ambient = before

    def after_fork(self) -> None:
        """In a forked child (a DataLoader worker): track nothing, publish nothing."""
        self.alive = False


def in_backward() -> bool:
    """True while the autograd engine runs in this thread."""
    return torch._C._current_graph_task_id() != -1


def _forward_name(node: str) -> str:
    """`ProdBackward0` -> `prod`: the autograd node's name as the operator's."""
    stem = node.split("Backward", 1)[0]
    words = "".join("_" + c.lower() if c.isupper() else c for c in stem)
    return words.lstrip("_")
