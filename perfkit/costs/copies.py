"""Copies, casts and layouts: no arithmetic, one side read and the other written.

A copy between host and device moves its bytes over the bus, once at each end; which end is which is
not for a cost to know.
"""

from __future__ import annotations

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import dtype_named, names, output, replaced, written


def _moved(read: int, made: int, dtype: str) -> Cost:
    return Cost(0, read, made, dtype=dtype)


def _copy_into(call: Call) -> Cost:
    target, source = call.operand(0), call.operand(1)
    read = min(source.nbytes, target.elements * source.itemsize)
    return _moved(read, target.nbytes, target.dtype)


def _same(call: Call) -> Cost:
    """An output of the input's size."""
    self = call.operand(0)
    out = output(call, self.shape, self.dtype)
    return _moved(self.nbytes, out.nbytes, self.dtype)


def _cast(call: Call) -> Cost:
    """The dtype wanted stands second."""
    self = call.operand(0)
    out = output(call, self.shape, dtype_named(call.plain(1)) or self.dtype)
    return _moved(self.nbytes, out.nbytes, self.dtype)


def _cat(call: Call) -> Cost:
    tensors = call.several(0)
    if not tensors:
        raise Unknown(f"no tensor of the list has a recorded shape in {call.name}")
    made = written(call, *(Operand(o.shape, o.dtype) for o in tensors))
    return _moved(nbytes(*tensors), made, tensors[0].dtype)


def _pad(call: Call) -> Cost:
    """Sizes by which the last dimensions grow, last first, two per dimension."""
    self, pads = call.operand(0), call.plain(1)
    if not isinstance(pads, tuple):
        raise Unknown(f"{call.name}: the padding is not recorded")
    shape = self.shape
    for axis, (before, after) in enumerate(zip(pads[::2], pads[1::2], strict=True), start=1):
        shape = replaced(shape, -axis, shape[-axis] + before + after)
    out = output(call, shape, self.dtype)
    return _moved(min(self.nbytes, out.nbytes), out.nbytes, self.dtype)


def _pad_backward(call: Call) -> Cost:
    grad, self = call.operand(0), call.operand(1)
    return _moved(grad.nbytes, self.elements * grad.itemsize, grad.dtype)


def _repeat(call: Call) -> Cost:
    self, times = call.operand(0), call.plain(1)
    if not isinstance(times, tuple):
        raise Unknown(f"{call.name}: the repeats are not recorded")
    shape = (1,) * (len(times) - len(self.shape)) + self.shape
    out = output(call, tuple(n * t for n, t in zip(shape, times, strict=True)), self.dtype)
    return _moved(self.nbytes, out.nbytes, self.dtype)


def _part_of_zeros(call: Call) -> Cost:
    """The gradient of a view: zeros of the whole, and the part copied in."""
    grad, sizes = call.operand(0), call.plain(1)
    if not isinstance(sizes, tuple):
        raise Unknown(f"{call.name}: the size of the input is not recorded")
    out = output(call, sizes, grad.dtype)
    return _moved(grad.nbytes, out.nbytes, grad.dtype)


def _part_replaced(call: Call) -> Cost:
    """A copy of the whole with a part from elsewhere."""
    self, part = call.operand(0), call.operand(1)
    out = self.elements * self.itemsize
    return _moved(out - min(out, part.nbytes) + part.nbytes, out, self.dtype)


def _triangle(call: Call) -> Cost:
    """Half is read, all of it written; close to it for a diagonal away from the middle."""
    self = call.operand(0)
    out = output(call, self.shape, self.dtype)
    return _moved(self.nbytes // 2, out.nbytes, self.dtype)


def _embedded_diagonal(call: Call) -> Cost:
    self = call.operand(0)
    shape = (*self.shape, self.shape[-1] + abs(int(call.plain(1, 0))))
    return _moved(self.nbytes, output(call, shape, self.dtype).nbytes, self.dtype)


def _one_number(call: Call) -> Cost:
    """`.item()`: one element for the host."""
    self = call.operand(0)
    return _moved(self.itemsize, self.itemsize, self.dtype)


def _copies_of_views() -> dict[str, CostFunction]:
    """What functionalisation makes of views. Parts of a tensor need their outputs recorded."""
    whole = "view reshape expand permute t transpose unsqueeze squeeze alias detach _reshape_alias"
    parts = "slice select as_strided diagonal narrow unfold split split_with_sizes unbind"

    def part(call: Call) -> Cost:
        if not call.outputs:
            raise Unknown(f"outputs of {call.name} are not recorded")
        made = nbytes(*call.outputs)
        return _moved(made, made, call.operand(0).dtype)

    table: dict[str, CostFunction] = {f"aten::{name}_copy": _same for name in whole.split()}
    return {**table, **{f"aten::{name}_copy": part for name in parts.split()}}


_SAME = names(
    "clone contiguous flip roll rot90 pixel_shuffle pixel_unshuffle channel_shuffle _pin_memory "
    "native_channel_shuffle lift_fresh_copy _conj_copy _neg_view_copy view_as_real_copy to_mkldnn "
    "view_as_complex_copy _mkldnn_transpose _mkldnn_reshape _lazy_clone"
)
_PART_REPLACED = names("slice_scatter select_scatter as_strided_scatter diagonal_scatter")
_PADS = ("reflection_pad", "replication_pad")

COSTS: dict[str, CostFunction] = {
    **_copies_of_views(),
    **{f"aten::{name}": _same for name in _SAME},
    **{f"aten::{name}": _part_replaced for name in _PART_REPLACED},
    **{f"aten::{name}{rank}d": _pad for name in _PADS for rank in (1, 2, 3)},
    **{f"aten::{name}{rank}d_backward": _pad_backward for name in _PADS for rank in (1, 2, 3)},
    "aten::copy_": _copy_into,
    "aten::copy": _copy_into,
    "aten::_to_copy": _cast,
    "aten::to": _cast,
    "aten::cat": _cat,
    "aten::_chunk_cat": _cat,
    "aten::stack": _cat,
    "aten::_stack": _cat,
    "aten::block_diag": _cat,
    "aten::constant_pad_nd": _pad,
    "aten::repeat": _repeat,
    "aten::slice_backward": _part_of_zeros,
    "aten::select_backward": _part_of_zeros,
    "aten::diagonal_backward": _part_of_zeros,
    "aten::unfold_backward": _part_of_zeros,
    "aten::tril": _triangle,
    "aten::tril_": _triangle,
    "aten::triu": _triangle,
    "aten::triu_": _triangle,
    "aten::diag_embed": _embedded_diagonal,
    "aten::_local_scalar_dense": _one_number,
}
