"""Looks at operands of the costed step for what shapes do not tell: padding, masks, repeats, layouts.

Values are read only where they lie in host memory, as they do under a pretence; on a real device that
would make the host wait, so there only what every tensor says of itself is kept. Each distinct mask or
set of ids is read `_LOOKS` times per place at most; further calls count with what was seen before.

Knows attention by `scaled_dot_product_attention` of `torch.nn.functional` and by a softmax over square
scores with -inf in them. Attention of compiled or scripted code is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import ref

import torch
from torch import Tensor
from torch.nn import Parameter

from perfkit.capture.call_sites import Site
from perfkit.capture.operand_values import NOT_READ, Read, ids_read, mask_read, scores_read
from perfkit.detectors.places import resolve
from perfkit.model.operands import Aspect, Operands
from perfkit.model.syncs import Phase

_LOOKS = 2
_SDPA = "scaled_dot_product_attention"
_Where = tuple["Site", "Phase | None", "str | None"]
_Key = tuple[Aspect, str, tuple[int, ...], str, bool, _Where]


class OperandRecorder:
    """Hears of every call of the costed step, see `look`.

    Attributes:
        reads: values may be read.
    """

    def __init__(self) -> None:
        self.reads = False
        self._sums: dict[_Key, list[Any]] = {}
        self._read: dict[tuple[str, tuple[int, ...], Site], tuple[int, Read | None]] = {}
        self._casts: dict[tuple[int, torch.dtype], tuple[ref[Tensor], int]] = {}
        self._cast_results: dict[int, tuple[ref[Tensor], str]] = {}
        self._inside = False  # of an attention call that was looked at itself
        self._mask: Tensor | None = None

    @contextmanager
    def watching(self, reads: bool) -> Iterator[None]:
        """Look at calls inside the block, of which attention has to be seen from outside, too."""
        self.reads = reads
        functional = torch.nn.functional
        real = functional.scaled_dot_product_attention
        functional.scaled_dot_product_attention = self._attention(real)
        try:
            yield
        finally:
            functional.scaled_dot_product_attention = real
            self._casts.clear()
            self._cast_results.clear()

    def look(self, name: str, args: Any, kwargs: Any, out: Any, where: _Where) -> None:
        """One call on the device that was just made; `where` is its site, phase and region."""
        if self._mask is not None:
            mask, self._mask = self._mask, None
            self._masked(_SDPA, mask, mask_read, where)
        look = _LOOKS_AT.get(name)
        if look is not None and not where[0].backward:
            look(self, name, args, kwargs, out, where)

    def forget(self) -> None:
        """It was no step."""
        self._sums.clear()
        self._read.clear()

    def rows(self) -> tuple[Operands, ...]:
        """What was seen, in the order of the first call."""
        return tuple(_row(key, sums) for key, sums in self._sums.items())

    def _attention(self, real: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def scaled_dot_product_attention(
            query: Tensor,
            key: Tensor,
            value: Tensor,
            attn_mask: Any = None,
            *rest: Any,
            **more: Any,
        ) -> Tensor:
            self._inside, self._mask = True, attn_mask if isinstance(attn_mask, Tensor) else None
            try:
                return real(query, key, value, attn_mask, *rest, **more)
            finally:
                self._inside, self._mask = False, None

        return scaled_dot_product_attention

    def _embedding(self, name: str, args: Any, kwargs: Any, out: Any, where: _Where) -> None:
        padding = args[2] if len(args) > 2 else kwargs.get("padding_idx", -1)
        if padding < 0:
            return
        ids = args[1]
        read = self._once(name, ids, where, lambda tensor: ids_read(tensor, padding))
        if read is not None:
            self._add(("padding", name, tuple(ids.shape), read.what, False, where), read)

    def _attention_op(self, name: str, args: Any, kwargs: Any, out: Any, where: _Where) -> None:
        """The fused operator, where it was not called by the name that was replaced."""
        mask = kwargs.get("attn_mask", kwargs.get("attn_bias", args[3] if len(args) > 3 else None))
        if not self._inside and isinstance(mask, Tensor):
            self._masked(name, mask, mask_read, where)

    def _softmax(self, name: str, args: Any, kwargs: Any, out: Any, where: _Where) -> None:
        """Attention by hand: what is -inf in the scores.

        Only of as many queries as keys: other scores with -inf may be words to sample from, or experts.
        """
        scores = args[0]
        last = args[1] if len(args) > 1 else kwargs.get("dim", -1)
        over_keys = last in (-1, scores.dim() - 1)
        is_square = scores.dim() > 2 and scores.shape[-1] == scores.shape[-2]
        if self.reads and not self._inside and is_square and over_keys:
            self._masked(name, scores, scores_read, where)

    def _masked(
        self, name: str, mask: Tensor, read: Callable[[Tensor], Read | None], where: _Where
    ) -> None:
        if mask.dim() < 2:
            return
        found = self._once(name, mask, where, read)
        if found is not None:
            self._add(("mask", name, tuple(mask.shape), found.what, False, where), found)

    def _cast(self, name: str, args: Any, kwargs: Any, out: Any, where: _Where) -> None:
        source = args[0]
        if not isinstance(out, Tensor) or out.dtype == source.dtype:
            self._layout(name, args, kwargs, out, where)
            return
        version = 0 if source.is_inference() else source._version
        known = self._casts.get((id(source), out.dtype))
        again = known is not None and known[0]() is source and known[1] == version
        self._casts[id(source), out.dtype] = (ref(source), version)
        what = f"{_dtype(source)} to {_dtype(out)}"
        before = self._cast_results.get(id(source))
        if before is not None and before[0]() is source and before[1] == _dtype(out):
            what, again = f"{_dtype(out)} to {_dtype(source)} and back", True
        self._cast_results[id(out)] = (ref(out), _dtype(source))
        key: _Key = ("cast", name, tuple(source.shape), what, isinstance(source, Parameter), where)
        self._add(key, NOT_READ, int(again), _moved(source, out))

    def _layout(self, name: str, args: Any, kwargs: Any, out: Any, where: _Where) -> None:
        source = args[0]
        how = _difference(source, out) if isinstance(out, Tensor) else None
        if how is not None:
            key: _Key = ("layout", name, tuple(source.shape), how, False, where)
            self._add(key, NOT_READ, 0, _moved(source, out))

    def _once(
        self, name: str, tensor: Tensor, where: _Where, read: Callable[[Tensor], Read | None]
    ) -> Read | None:
        if not self.reads or not tensor.numel():
            return NOT_READ
        key = (name, tuple(tensor.shape), where[0])
        looks, found = self._read.get(key, (0, None))
        if looks < _LOOKS:
            with torch.no_grad(), torch._C._DisableTorchDispatch():
                try:
                    found = read(tensor)
                except RuntimeError:  # a dtype or layout without comparisons is not worth a crash
                    found = NOT_READ
            self._read[key] = (looks + 1, found)
        return found

    def _add(self, key: _Key, read: Read, repeated: int = 0, nbytes: int = 0) -> None:
        sums = self._sums.setdefault(key, [0, 0, 0, 0, 0, 0.0, 0.0, 0])
        numbers = (1, repeated, nbytes, read.looked, read.part)
        for position, value in enumerate(numbers):
            sums[position] += value
        if read.padded is not None:
            sums[5] += read.padded
            sums[6] += read.padded_pairs if read.padded_pairs is not None else 0.0
            sums[7] += 1


def _row(key: _Key, sums: list[Any]) -> Operands:
    aspect, op, shape, what, of_parameter, (site, phase, region) = key
    calls, repeated, nbytes, looked, part, padded, pairs, told = sums
    return Operands(
        aspect, op, shape, what, calls, repeated, looked, part,
        padded / told if told else None,
        pairs / told if told else None,
        nbytes, of_parameter, site.module, region, phase,
        resolve((site.place,))[0] if site.place is not None else None,
    )  # fmt: skip


def _difference(source: Tensor, out: Tensor) -> str | None:
    """How a copy lies differently from what it is a copy of; None where it does not."""
    if source.layout != torch.strided or out.layout != torch.strided or source.numel() < 2:
        return None
    pairs = [
        (old, new)
        for size, old, new in zip(source.shape, source.stride(), out.stride(), strict=True)
        if size > 1
    ]
    if all(old == new for old, new in pairs):
        return None
    if any(not old for old, _ in pairs):
        return "expanded"
    before, after = (sorted(range(len(pairs)), key=lambda i: pairs[i][side]) for side in (0, 1))
    return "a part" if before == after else "transposed"


def _moved(source: Tensor, out: Tensor) -> int:
    return int(source.numel() * source.element_size() + out.numel() * out.element_size())


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


_LOOKS_AT: dict[str, Callable[..., None]] = {
    "aten::embedding": OperandRecorder._embedding,
    "aten::_softmax": OperandRecorder._softmax,
    "aten::_safe_softmax": OperandRecorder._softmax,
    "aten::_to_copy": OperandRecorder._cast,
    "aten::clone": OperandRecorder._layout,
    "aten::_scaled_dot_product_flash_attention_for_cpu": OperandRecorder._attention_op,
    "aten::_scaled_dot_product_efficient_attention": OperandRecorder._attention_op,
    "aten::_scaled_dot_product_cudnn_attention": OperandRecorder._attention_op,
}
