"""The device memory of one deep step: every storage from its first sight to its death.

A storage is numbered when an operator makes or meets it, and a weak reference tells its end, so that
nothing is held. `saved_tensors_hooks` tell what autograd saves, by module and line, and when it lets
go. Parameters, gradients and states are those of the modules and optimizers that ran in the step.

Not seen: memory that a kernel takes for itself, and what no operator of the step met on a real GPU.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from perfkit.capture._memory_log import DIED, FREED, SAVED, Gradients, Log, Made, step_memory
from perfkit.capture.call_sites import CallSites, Site
from perfkit.capture.marks import replaced
from perfkit.detectors.places import resolve
from perfkit.model.memory import Category, Memory, StepMemory
from perfkit.model.run import Device, Gap
from perfkit.model.syncs import Frame, Phase
from perfkit.pretend import tags

_storage = torch._C.TensorBase.untyped_storage
_hooks = torch._C._autograd
_ZEROING = ("aten::zero_", "aten::_foreach_zero_")
_WHAT = "what is saved for backward"


class MemoryRecorder:
    """Records one step, and counts what is alive after each."""

    def __init__(self) -> None:
        self._step: _Step | None = None
        self._covered: _Step | None = None  # its hooks lie below those of the program
        self._kept: StepMemory | None = None
        self._after: list[tuple[int, int]] = []
        self._notes: dict[Gap, None] = {}

    @contextmanager
    def recording(self, sites: CallSites, on_device: Callable[[Tensor], bool]) -> Iterator[None]:
        """Follow one step; `ran` tells its operators."""
        step = self._step = _Step(sites, on_device)
        with step.hooked():
            yield
        self._kept = step.told()
        self._notes.update(dict.fromkeys(step.notes))
        self._step, self._covered = None, step

    def ran(self, op: str, site: Site, phase: Phase | None, args: Any, out: Any) -> None:
        """An operator of the step ran."""
        if self._step is not None:
            self._step.ran(Made(op, site.module, site.place, phase), args, out)

    def drop(self) -> None:
        """What was recorded was no step."""
        self._kept = None
        self._notes.clear()

    def forget_steps(self) -> None:
        """What was counted so far were no steps."""
        self._after.clear()

    def step_ended(self, index: int, device: Device) -> None:
        """Count what is alive."""
        if self._covered is not None and self._covered.unhook():
            self._covered = None
        nbytes = _alive(device)
        if nbytes is not None:
            self._after.append((index, nbytes))

    def gaps(self) -> tuple[Gap, ...]:
        return tuple(self._notes)

    def memory(self) -> Memory | None:
        """What was recorded; None where nothing was."""
        if self._kept is None and not self._after:
            return None
        return Memory(self._kept, tuple(self._after))


class _Ref(weakref.ref[Any]):
    """Of a storage; tells the log when it dies."""

    __slots__ = ("key", "number")

    key: int
    number: int


class _Saved:
    """What autograd holds in place of a tensor: it is gone when autograd lets go."""

    __slots__ = ("events", "number", "tensor")

    def __init__(self, tensor: Tensor, number: int, events: list[tuple[int, int]]) -> None:
        self.tensor, self.number, self.events = tensor, number, events

    def __del__(self) -> None:
        self.events.append((FREED, self.number))


class _Step:
    """One step while it runs."""

    def __init__(self, sites: CallSites, on_device: Callable[[Tensor], bool]) -> None:
        self.notes: list[Gap] = []
        self._sites, self._on_device = sites, on_device
        self._log = Log()
        self._refs: dict[int, _Ref] = {}  # by address
        self._thread = threading.get_ident()
        self._roots: dict[int, Any] = {}
        self._root: Any = None
        self._in_forward: set[int] = set()
        self._at_step: set[int] | None = None
        self._zeroed: dict[int, Made] = {}
        self._dropped_at: Any = None
        self._hooks = (self._pack, _unpack)
        self._pushed = self._over = False

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Hear of optimizers and of saved tensors inside the block."""
        for weak in list(tags.device.values()):
            self._meet(torch.UntypedStorage._new_with_weak_ptr(weak), None)
        self._log.before = len(self._log.sizes)
        handle = register_optimizer_step_pre_hook(self._optimizer)
        self._push()
        try:
            with replaced(_hooks, "_saved_tensors_hooks_disable", self._withdrawing):
                yield
        finally:
            self._over = True
            self.unhook()
            handle.remove()
            self._roles_of_roots()

    def ran(self, made: Made, args: Any, out: Any) -> None:
        for tensor in _tensors(args):
            if self._on_device(tensor):
                self._number(tensor, None)
        for tensor in _tensors((out,)):
            self._number(tensor, made)
        if made.op in _ZEROING:
            for tensor in _tensors(args):
                number = self._number(tensor, None)
                if number is not None:
                    self._zeroed[number] = made
        root = self._sites.root
        if root is not None and root is not self._root:
            self._enter(root)

    def told(self) -> StepMemory | None:
        at_step = None if self._at_step is None else frozenset(self._at_step)
        gradients = Gradients(frozenset(self._in_forward), at_step, self._zeroed, self._dropped_at)
        log, self._log = self._log, Log()
        self._refs.clear()  # with them go the callbacks
        self._roots.clear()
        self._root = None
        return step_memory(log, gradients, _frame)

    # Storages.

    def _number(self, tensor: Tensor, made: Made | None) -> int | None:
        try:
            storage = _storage(tensor)
        except (NotImplementedError, RuntimeError):  # sparse tensors and wrappers have none
            return None
        return self._meet(storage, made)

    def _meet(self, storage: Any, made: Made | None) -> int | None:
        if storage is None:
            return None
        known = self._refs.get(storage._cdata)
        if known is not None:
            return known.number
        ref = _Ref(storage, self._died)
        ref.key, ref.number = storage._cdata, self._log.born(storage.nbytes(), made)
        self._refs[ref.key] = ref
        return ref.number

    def _died(self, ref: _Ref) -> None:
        if self._refs.get(ref.key) is ref:
            del self._refs[ref.key]
        self._log.events.append((DIED, ref.number))
        if ref.number in self._in_forward and self._dropped_at is None:
            self._dropped_at = self._sites.here().place

    # What autograd saves.

    def _push(self) -> None:
        if not hasattr(_hooks, "_top_saved_tensors_default_hooks"):  # before torch 2.7
            self.notes.append(Gap(_WHAT, "this torch does not tell whether others hook them"))
        elif _hooks._top_saved_tensors_default_hooks(True) is not None:
            self.notes.append(Gap(_WHAT, "the program has saved-tensor hooks of its own"))
        elif not _hooks._saved_tensors_hooks_is_enabled():
            self.notes.append(Gap(_WHAT, "saved-tensor hooks are switched off"))
        else:
            _hooks._push_saved_tensors_default_hooks(*self._hooks)
            self._pushed = True

    def unhook(self) -> bool:
        """True once our hooks are gone; not while the program has hooks of its own on top of them."""
        if not self._pushed:
            return True
        if threading.get_ident() != self._thread:
            return False
        if _hooks._top_saved_tensors_default_hooks(True) == self._hooks:
            _hooks._pop_saved_tensors_default_hooks()
            self._pushed = False
        return not self._pushed

    def _withdrawing(self, disable: Any) -> Any:
        def perfkit_disable(*args: Any, **kwargs: Any) -> Any:
            # function transforms refuse to run while there are hooks
            if self._pushed and threading.get_ident() == self._thread:
                self.unhook()
                self.notes.append(Gap(_WHAT, "the program switches saved-tensor hooks off"))
            return disable(*args, **kwargs)

        return perfkit_disable

    def _pack(self, tensor: Tensor) -> Any:
        if self._over or not self._on_device(tensor):
            return tensor
        number = self._number(tensor, None)
        if number is None:
            return tensor
        log = self._log
        if number not in log.saved_by:
            site = self._sites.here()
            log.saved_by[number] = Made("", site.module, site.place)
        log.events.append((SAVED, number))
        return _Saved(tensor, number, log.events)

    # Whose storages they are.

    def _enter(self, root: Any) -> None:
        """An outermost module runs; what it has now are gradients of an earlier step, or of another pass."""
        self._root = root
        if id(root) in self._roots:
            return
        self._roots[id(root)] = root
        parameters = list(root.parameters())
        self._role("parameters", (*parameters, *root.buffers()))
        if threading.get_ident() == self._thread:
            self._in_forward |= self._role("gradients", _gradients(parameters))

    def _roles_of_roots(self) -> None:
        """Again at the end: gradients are new, and where placement is assumed it is known only now."""
        for root in self._roots.values():
            self._role("parameters", (*root.parameters(), *root.buffers()))
            self._role("gradients", _gradients(root.parameters()))

    def _optimizer(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._role("parameters", parameters)
        found = self._role("gradients", _gradients(parameters))
        self._at_step = found | (self._at_step or set())
        states = (value for state in optimizer.state.values() for value in _values(state))
        self._role("optimizer state", (v for v in states if isinstance(v, Tensor)))

    def _role(self, role: Category, tensors: Iterable[Tensor]) -> set[int]:
        numbers = {self._number(t, None) for t in tensors if self._on_device(t)} - {None}
        for number in numbers:
            self._log.roles.setdefault(number, role)  # type: ignore[arg-type]
        return numbers  # type: ignore[return-value]


def on_device(device: Device) -> Callable[[Tensor], bool]:
    """Whether a tensor counts, in a setting."""
    if device == "cuda":
        return lambda tensor: tensor.is_cuda
    return tags.on_device


def _unpack(packed: Any) -> Tensor:
    tensor: Tensor = packed.tensor if type(packed) is _Saved else packed
    return tensor


def _alive(device: Device) -> int | None:
    """Bytes alive on the device; None where nobody knows."""
    if device == "cuda":
        return torch.cuda.memory_allocated() if torch.cuda.is_initialized() else None
    if device != "pretend-cuda":
        return None
    tags.purge()
    found = (torch.UntypedStorage._new_with_weak_ptr(weak) for weak in tags.device.values())
    return sum(storage.nbytes() for storage in found if storage is not None)


def _gradients(parameters: Iterable[Tensor]) -> Iterator[Tensor]:
    return (p.grad for p in parameters if p.grad is not None)


def _values(state: Any) -> Iterable[Any]:
    return state.values() if isinstance(state, dict) else ()


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from (inner for inner in value if isinstance(inner, Tensor))


def _frame(place: Any) -> Frame | None:
    return resolve((place,))[0] if place is not None else None
