"""A model in half precision, with islands that stay in float32.

What it replaces
    A model run in float32 throughout, or one under `model.half()`, whose routing, normalisation and
    last layer then lose what the result hangs on.

Why it is faster
    Weights and activations take half the bytes, and tensor cores multiply half precision at several
    times the rate. No casts of weights in every step, unlike autocast.

When it wins, and when not
    On GPUs with tensor cores, where matrix products or memory traffic bound the step. A CPU without
    instructions for bfloat16 is slower with it. Every border of an island costs a cast: prefer few
    large islands (norm and gate together) to many small ones. For training, optimisers need float32
    master weights: use autocast instead, this is for inference and fine-tuning with care.

Exact or approximate
    Approximate, always: results carry 8 bits (bfloat16) or 11 (float16) in places. Judge by the error
    of the output or by the metric of the task, and by how many choices flip.

Hazards
    A gate in low precision picks other experts: measured 0.56 % of tokens in bfloat16, 0.05 % in
    float16, and such a token's output is plainly wrong. The gate must also *see* float32: an island
    that starts after a cast has lost the digits already, so put norm and gate in one island. And a
    top-k over probabilities that were rounded at the island's border flips likewise: `Border.WIDE`.
    float16 overflows beyond 65504, and -1e9 as a mask becomes minus infinity. A weight shared by an
    island and the rest is refused. Parameters change dtype under an optimiser that holds them: build
    it afterwards.

Your own inputs
    `verify` knows its own routed network only and takes the sizes from you: `weights`, its state
    dictionary (router.0.weight [D], router.0.bias [D], router.1.weight [E, D], experts.0.weight
    [D, D] and so on to E - 1, norm.weight [D], norm.bias [D], head.weight [4, D]), and `x` [tokens, D].
    For a model of your own, run it on the same batch before and inside
    `with mixed_precision_islands(model):`, and judge the difference by the metric of the task.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from perfkit.base.errors import PerfkitError
from perfkit.rewrites import _tree
from perfkit.rewrites._rewrite import Case, Form, Goal, Inputs, Quality, Rewrite

KEPT: tuple[str | type[nn.Module], ...] = (
    nn.LayerNorm,
    nn.GroupNorm,
    nn.modules.batchnorm._BatchNorm,
    "*gate",
    "*router",
    "*head",
)


class Border(Enum):
    """What leaves an island: WIDE stays float32, NARROW is cast to the model's precision.

    WIDE keeps what is chosen after the island (a top-k of its probabilities) and a float32 residual
    stream; operators that want one dtype (index_add, a product of what an island and what another
    layer gave) raise, and need a cast of their own. NARROW runs everywhere, and rounds.
    """

    WIDE = "wide"
    NARROW = "narrow"


class Islands:
    """What `mixed_precision_islands` did to a model, and the way back. A context manager.

    Attributes:
        names: qualified names of the islands.
    """

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        self.model = model
        self.names = names
        self._hooks: list[Any] = []
        self._originals: list[tuple[Tensor, Tensor]] = []

    def undo(self) -> None:
        """Float32 again, casts gone. What was not trained since gets its old value to the last bit."""
        for hook in self._hooks:
            hook.remove()
        for tensor, original in self._originals:
            same = torch.equal(tensor.data, original.to(tensor.device, tensor.dtype))
            old = original.to(tensor.device)
            tensor.grad = None
            tensor.data = old if same else tensor.data.to(original.dtype)
        self._hooks, self._originals = [], []

    def __enter__(self) -> Islands:
        return self

    def __exit__(self, *exc: object) -> None:
        self.undo()


def mixed_precision_islands(
    model: nn.Module,
    dtype: torch.dtype = torch.bfloat16,
    keep: Sequence[str | type[nn.Module]] = KEPT,
    border: Border = Border.WIDE,
) -> Islands:
    """Turn a float32 model into a half-precision one with float32 islands, in place.

    A layer outside the islands gets its floating-point arguments cast to `dtype`, an island its own
    to float32; the model gives float32 back. Keys of the state dictionary stay the same.

    Args:
        model: float32; other parameters stay as they are.
        dtype: bfloat16 or float16.
        keep: islands: module types, and patterns of qualified names (`*` matches dots as well).
        border: see `Border`.

    Returns:
        What was done; `undo()` or leaving its `with` block reverses it. Until then the float32 values
        are held, so memory shrinks only when the return value is dropped.

    Raises:
        PerfkitError: a pattern of one's own that names nothing, a weight that is shared between an
            island and the rest, or gradients that are still there.
    """
    roots = dict(_roots(model, keep))
    if keep is not KEPT:
        _check_patterns(model, keep)
    inside = {id(module) for root in roots.values() for module in root.modules()}
    halved = [(name, one) for name, one in model.named_modules() if id(one) not in inside]
    _check_tensors(roots, halved)
    islands = Islands(model, tuple(roots))
    for _, module in halved:
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        narrowed = [tensor for tensor in own if tensor.dtype is torch.float32]
        for tensor in narrowed:
            islands._originals.append((tensor, tensor.data))
            tensor.data = tensor.data.to(dtype)
        if narrowed or any(tensor.dtype is dtype for tensor in own):
            islands._hooks.append(_cast_arguments(module, dtype))
    for root in roots.values():
        islands._hooks.append(_cast_arguments(root, torch.float32))
        if border is Border.NARROW:
            islands._hooks.append(_cast_result(root, dtype))
    islands._hooks.append(_cast_result(model, torch.float32))
    return islands


def _roots(
    model: nn.Module, keep: Sequence[str | type[nn.Module]]
) -> Iterator[tuple[str, nn.Module]]:
    """The outermost modules that match, by qualified name."""
    inside: set[int] = set()
    for name, module in model.named_modules():
        if id(module) not in inside and any(_matches(name, module, one) for one in keep):
            inside.update(id(one) for one in module.modules())
            yield name, module


def _matches(name: str, module: nn.Module, wanted: str | type[nn.Module]) -> bool:
    if isinstance(wanted, str):
        return bool(name) and fnmatchcase(name, wanted)
    return isinstance(module, wanted)


def _check_patterns(model: nn.Module, keep: Sequence[str | type[nn.Module]]) -> None:
    modules = list(model.named_modules())
    for wanted in keep:
        if not any(_matches(name, module, wanted) for name, module in modules):
            raise PerfkitError(
                f"no module is called or is a {wanted}",
                f"there are: {', '.join(name for name, _ in modules if name)}",
            )


def _check_tensors(roots: dict[str, nn.Module], halved: list[tuple[str, nn.Module]]) -> None:
    kept = {id(tensor): name for name, root in roots.items() for tensor in root.parameters()}
    for name, module in halved:
        for tensor in module.parameters(recurse=False):
            if id(tensor) in kept:
                raise PerfkitError(
                    f"{name or 'the model'} shares a weight with the island {kept[id(tensor)]}",
                    "make both islands, or neither",
                )
            if tensor.grad is not None:
                raise PerfkitError(
                    f"{name or 'the model'} holds a gradient in float32",
                    "call zero_grad(set_to_none=True) first",
                )


def _cast(tree: Any, dtype: torch.dtype) -> Any:
    return _tree.mapped(lambda one: one.to(dtype) if one.is_floating_point() else one, tree)


def _cast_arguments(module: nn.Module, dtype: torch.dtype) -> Any:
    def hook(module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
        return _cast(args, dtype), _cast(kwargs, dtype)

    return module.register_forward_pre_hook(hook, with_kwargs=True)


def _cast_result(module: nn.Module, dtype: torch.dtype) -> Any:
    return module.register_forward_hook(lambda module, args, result: _cast(result, dtype))


class RoutedNetwork(nn.Module):
    """Norm and gate in one router, two of eight experts for each token, a head. x is [tokens, D]."""

    def __init__(self, width: int, experts: int) -> None:
        super().__init__()
        self.router = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, experts, bias=False))
        self.experts = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(experts))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.router(x).softmax(1).topk(2)
        every = torch.stack([expert(x) for expert in self.experts], 1)
        taken = every.gather(1, chosen[..., None].expand(-1, -1, x.shape[1]))
        return self.head(self.norm(x + (taken * weights[..., None]).sum(1)))


Weights = dict[str, Tensor]


def _model(weights: Weights) -> nn.Module:
    experts, width = weights["router.1.weight"].shape
    with torch.device("meta"):
        model = RoutedNetwork(width, experts)
    model.load_state_dict(weights, assign=True)
    return model


def found(weights: Weights, x: Tensor) -> Tensor:
    """As met in programs: float32 throughout."""
    return _model(weights)(x)


def _islands(dtype: torch.dtype, keep: Sequence[str | type[nn.Module]]) -> Any:
    def run(weights: Weights, x: Tensor) -> Tensor:
        model = _model({name: one.float() for name, one in weights.items()})
        mixed_precision_islands(model, dtype, keep)
        return model(x)

    return run


def _largest_error(limit: float) -> Any:
    """Over all tokens: one token sent to another expert is enough to fail."""

    def quality(inputs: Inputs, right: Tensor, given: Tensor) -> Quality:
        error = (given.double() - right.double()).abs().max() / right.double().abs().max()
        return Quality("largest error of any token, relative", error.item(), limit)

    return quality


def _case(name: str, tokens: int, width: int, *, measured: bool = False) -> Case:
    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        shapes = {name: one.shape for name, one in RoutedNetwork(width, 8).state_dict().items()}
        weights = {
            name: torch.randn(shape, generator=generator) / width**0.5
            for name, shape in shapes.items()
        }
        weights["norm.weight"] = torch.ones(width)
        weights["router.0.weight"] = torch.ones(width)
        return weights, torch.randn(tokens, width, generator=generator)

    return Case(name, make, f"{tokens} tokens, 8 experts, D = {width}", measured=measured)


ROUTER = ("router", nn.LayerNorm, "head")
_COST = "results carry {} bits outside router, norms and head"

REWRITE = Rewrite(
    title="Half precision, with float32 islands where results hang on it",
    found=(Form("found", found, "where the last digits count, or on a CPU"),),
    forms=(
        Form(
            "bfloat16",
            _islands(torch.bfloat16, ROUTER),
            "on GPUs with tensor cores; cannot overflow",
            exact=False,
            approximates=_COST.format(8),
            quality=_largest_error(5e-3),
        ),
        Form(
            "float16",
            _islands(torch.float16, ROUTER),
            "where values stay below 65504; eight times finer",
            exact=False,
            approximates=_COST.format(11),
            quality=_largest_error(5e-4),
        ),
    ),
    traps=(
        Form(
            "gate in half precision",
            _islands(torch.bfloat16, ("norm", "head")),
            "never: some tokens go to other experts",
        ),
    ),
    cases=(_case("30 tokens", 30, 16), _case("2000 tokens", 2000, 64, measured=True)),
    goals=(Goal("2000 tokens", syncs=0),),
)
