"""The dispatch mode of the pretence: carries placement from inputs to outputs and judges each call.

This runs for every operator, so it is written for speed: a `Plan` per operator is made once, views
cost nothing more than the mode itself, and a stack is taken only when the catalogue says sync.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.utils._python_dispatch import TorchDispatchMode

from perfkit.catalogue import _index
from perfkit.catalogue._call import Seen
from perfkit.detectors.interposer import Interposer, available
from perfkit.detectors.judging import judged
from perfkit.detectors.places import without_overload
from perfkit.pretend import tags
from perfkit.pretend.watch import Watch, WatchedCall, in_backward

_HAS_KERNEL = torch._C._dispatch_has_kernel_for_dispatch_key
_storage = torch._C.TensorBase.untyped_storage

# Outputs that stay on the host although an input lies on the device.
_HOST_OUTPUTS = {"aten::_pack_padded_sequence": (1,), "aten::_pad_packed_sequence": (1,)}
# Operators that take host tensors beside device tensors without raising.
_MAY_MIX = (
    "aten::copy_", "aten::_to_copy", "aten::index", "aten::_unsafe_index", "aten::index_put",
    "aten::index_put_", "aten::_index_put_impl_", "aten::_pack_padded_sequence", "aten::set_",
    "aten::_pad_packed_sequence", "aten::_ctc_loss", "aten::_fused", "aten::_foreach",
    "aten::tensor_split", "aten::_sparse", "aten::is_same_size", "aten::_amp", "aten::record_stream",
)  # fmt: skip
# Not work for the device: allocations.
_ALLOCATES = ("aten::empty", "aten::new_empty", "aten::lift", "aten::detach", "aten::_local_scalar")
# Forward operators whose backward synchronises or may do so.
_SYNC_IN_BACKWARD = {"index", "index_put", "index_put_", "masked_select"}


class Plan:
    """What is known of an operator before it is called."""

    __slots__ = (
        "backward_rule",
        "composite",
        "host_outputs",
        "lifts",
        "may_mix",
        "name",
        "rules",
        "short",
        "view",
        "works",
        "writes",
    )

    def __init__(self, func: Any) -> None:
        returns = func._schema.returns
        aliases = [r.alias_info for r in returns]
        self.name: str = func.name()
        self.short = self.name.removeprefix("aten::").split(".", 1)[0]
        self.rules = _index.rules().get(self.name, ())
        written = [a for a in aliases if a is not None and a.is_write]
        self.view = bool(returns) and len([a for a in aliases if a is not None]) == len(returns)
        self.lifts = self.name == "aten::lift_fresh"
        self.view = self.view and not written and not self.rules and not self.lifts
        self.backward_rule = _index.backward_rules().get(self.name)
        self.writes = bool(written)
        self.composite = _HAS_KERNEL(self.name, "CompositeImplicitAutograd")
        # inference_mode hands composites over whole: `to` then looks like a view, and is not one
        self.view = self.view and not self.composite
        self.works = not self.view and not self.name.startswith(_ALLOCATES)
        self.host_outputs = _HOST_OUTPUTS.get(self.name, ())
        self.may_mix = self.name.startswith(_MAY_MIX)


@cache
def _dispatches_itself(kind: type) -> bool:
    """True for wrapper subclasses such as nested, distributed and quantised tensors."""
    plain = (Tensor.__torch_dispatch__, torch._C._disabled_torch_dispatch_impl)
    return getattr(kind, "__torch_dispatch__", plain[0]) not in plain


_plans: dict[Any, Plan] = {}


def _plan(func: Any) -> Plan:
    return _plans.setdefault(func, Plan(func))


class Placement(TorchDispatchMode):  # type: ignore[misc]
    """Tracks placement and judges calls in the thread that entered it; threads share the `Watch`."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # the wrapper costs 0.7 us per operator, and nothing is compiled under the pretence

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if types and any(map(_dispatches_itself, types)):
            return NotImplemented  # its own inner operators come by again
        plan = _plans.get(func) or _plan(func)
        self.watch.calls += 1
        if (plan.view and not tags.sparse) or not self.watch.alive:
            return func(*args, **kwargs) if kwargs else func(*args)
        if plan.composite:
            # inference_mode skips the decomposition that other modes have had by now
            with self:
                result = func.decompose(*args, **(kwargs or {}))
            if result is not NotImplemented:
                return result
        return self._run(plan, func, args, kwargs or {})

    def _run(self, plan: Plan, func: Any, args: Any, kwargs: Any) -> Any:
        watch = self.watch
        if plan.lifts:
            if watch.local.ambient is None:  # no factory asked for it: a list as an index
                tags.put(tags.literal, args[0])
            return func(*args)
        tensors = _tensors(args, kwargs)
        on_device, pending, host = self._placement(tensors)
        if on_device:
            if pending:
                for key in pending:
                    tags.adopt(key)
            if host and not plan.may_mix:
                self._mixed(plan, host)
            if plan.works:
                watch.dispatched += 1
            if watch.classify and not watch.local.quiet:
                self._judge(plan, args, kwargs)
        elif pending and host:  # C++ made it for host data
            for key in pending:
                tags.drop(tags.pending, key)
        local = watch.local
        before, local.op = local.op, plan.name
        try:
            if watch.record is None or not on_device or not plan.works:
                out = _call(func, args, kwargs)
            else:
                out = watch.record(func, args, kwargs, _call)
        finally:
            local.op = before
        if not plan.writes:
            self._place_outputs(plan, out, on_device, bool(pending), bool(tensors))
        return out

    def _placement(self, tensors: list[Tensor]) -> tuple[bool, list[int], list[Tensor]]:
        """(some input is on the device, keys of pending inputs, host inputs with dimensions)."""
        on_device, pending, host = False, [], []
        device, unsure = tags.device, tags.pending
        assumed = self.watch.assumed
        for tensor in tensors:
            try:
                key = _storage(tensor)._cdata
            except (NotImplementedError, RuntimeError):
                key = tags.address(tensor)
            if key in device:
                on_device = True
            elif assumed and isinstance(tensor, Parameter):
                tags.put(device, tensor)
                self.watch.used = on_device = True
            elif key in unsure:
                pending.append(key)
            elif tensor.dim():
                host.append(tensor)
        return on_device, pending, host

    def _mixed(self, plan: Plan, host: list[Tensor]) -> None:
        if self.watch.assumed:
            for tensor in host:  # moved to CUDA, the program would make these there
                tags.put(tags.device, tensor)
            return
        self.watch.note(
            f"{plan.name} mixes host and device tensors",
            "on a GPU this raises 'expected all tensors to be on the same device'",
        )

    def _judge(self, plan: Plan, args: Any, kwargs: Any) -> None:
        watch = self.watch
        backward = in_backward()
        if backward:
            watch.backward_runs()
        waited = False
        call = WatchedCall(args, kwargs)
        for kind, seen in judged(plan.rules, call):
            waited = True
            watch.publish(kind, plan.name, seen)
        if backward:
            return
        if plan.backward_rule is not None and torch.is_grad_enabled() and args[0].requires_grad:
            kind, rule = plan.backward_rule
            expected = rule(call)
            if expected is not None:
                watch.expect_backward(kind, expected)
        syncs_again = plan.short in watch.learned or (plan.short in _SYNC_IN_BACKWARD and waited)
        if syncs_again and args[0].requires_grad and torch.is_grad_enabled():
            watch.remember_forward()

    def _place_outputs(
        self, plan: Plan, out: Any, on_device: bool, pending: bool, inputs: bool
    ) -> None:
        if on_device:
            into = tags.device
        elif inputs:
            if not pending:
                return
            into = tags.pending
        else:
            ambient = self.watch.local.ambient
            if ambient == "cpu":
                return
            into = tags.device if ambient == "cuda" else tags.pending
        if isinstance(out, Tensor):
            tags.put(into, out)
        elif isinstance(out, (list, tuple)):
            for position, item in enumerate(out):
                if isinstance(item, Tensor) and position not in plan.host_outputs:
                    tags.put(into, item)


def _tensors(args: Any, kwargs: Any) -> list[Tensor]:
    found = []
    for value in args:
        kind = value.__class__
        if kind is Tensor or kind is Parameter:
            found.append(value)
        elif kind is list or kind is tuple:
            found.extend(v for v in value if isinstance(v, Tensor))
        elif isinstance(value, Tensor):
            found.append(value)
    if kwargs:
        found.extend(v for v in kwargs.values() if isinstance(v, Tensor))
    return found


def _call(func: Any, args: Any, kwargs: Any) -> Any:
    try:
        return func(*args, **kwargs) if kwargs else func(*args)
    except (RuntimeError, NotImplementedError) as error:
        if "not implemented for" not in str(error):
            raise
        return _call_wider(func, args, kwargs, error)


def _call_wider(func: Any, args: Any, kwargs: Any, error: Exception) -> Any:
    """Run in a wider type what only CUDA has a kernel for, and cast back."""
    narrow = {torch.half: torch.float, torch.bfloat16: torch.float}
    if not any(isinstance(a, Tensor) and a.dtype.is_floating_point for a in args):
        narrow = {torch.int32: torch.float, torch.int64: torch.double, torch.bool: torch.int32}
    back = [a.dtype for a in args if isinstance(a, Tensor) and a.dtype in narrow]
    if not back or (func._schema.returns and func._schema.returns[0].alias_info is not None):
        raise error
    wide = [
        a.to(narrow[a.dtype]) if isinstance(a, Tensor) and a.dtype in narrow else a for a in args
    ]
    out = func(*wide, **kwargs)
    return out.to(back[0]) if isinstance(out, Tensor) else out


def nested_reads(watch: Watch) -> Interposer | None:
    """Sees reads that C++ makes where no mode looks: printing, `torch.tensor([t, t])`, composites.

    None where this torch cannot interpose (before 2.9).
    """
    if not available():
        return None

    def around(op: str, original: Any, args: Any, kwargs: Any) -> Any:
        if watch.listening() and _counts(watch.local.op) and tags.on_device(args[0]):
            inner = watch.local.op
            if op == "aten::nonzero":
                watch.publish("nonzero", inner or op, Seen(), "interposer")
            else:
                seen = Seen(op=without_overload(inner) or "aten::item")
                watch.publish("item", inner or op, seen, "interposer")
        return original(*args, **kwargs)

    return Interposer(("aten::_local_scalar_dense", "aten::nonzero"), "CPU", around)


_verdicts: dict[str, bool] = {"": True}


def _counts(op: str) -> bool:
    """Whether a read inside `op` on the CPU also happens on CUDA.

    Only where both run the same composite C++ function, and the catalogue does not judge the
    operator itself: CPU kernels read values that CUDA kernels check on the device.
    """
    if op not in _verdicts:
        shared = _HAS_KERNEL(op, "CompositeExplicitAutograd") and not _HAS_KERNEL(op, "CPU")
        _verdicts[op] = shared and op not in _index.rules() and op != "aten::_assert_async.msg"
    return _verdicts[op]
