"""Indexing: masks, index lists, assignments, and their gradients (placed on the forward line)."""

from __future__ import annotations

from .pattern import Pattern as P

_READ = "[T] x[mask]; [H] IndexingUtils.h expandTensors: index.nonzero()"
_WRITE = (
    "[T] x[mask] = y; [H] a value that is not a one-element CPU tensor cannot become masked_fill"
)
_FILL = "[T] x[mask] = 1.; [H] TensorAdvancedIndexingUtils.h canDispatchToMaskedFill"
_CPU_INDEX = "[T] x[ind_cpu]; [H] expandTensors: index.to(self.device())"
_LIST = "[S] csrc/utils/tensor_new.cpp indexing_tensor_from_data: built on the host, then moved"
_SCALAR = (
    "[S] native/TensorAdvancedIndexing.cpp _index_put_impl_: value.to(self.device());"
    " [PR] pytorch 186486, 188330 remove it later"
)
_BACK_READ = "[S] cuda/Indexing.cu makeLinearIndex: expandTensors again in index_put(accumulate)"
_BACK_WRITE = "derivatives.yaml index_put_: grad.index_put(indices, zeros), values: grad.index"

_W = "w = torch.arange(4.0, device='cuda', requires_grad=True)"
_BACKWARD = "{line}\nv.sum().backward()"

INDEXING: tuple[P, ...] = (
    P("mask read", "v = x[m]", {"mask_index": 1}, _READ),
    P("mask read of a comparison", "v = x[x > 1]", {"mask_index": 1}, _READ),
    P("mask read of rows", "v = a[m]", {"mask_index": 1}, _READ),
    P("mask read of columns", "v = a[:, m]", {"mask_index": 1}, _READ),
    P("mask read in two dimensions", "v = a[a > 1]", {"mask_index": 1}, "one nonzero; " + _READ),
    P("two masks", "v = a[m, m]", {"mask_index": 2}, "one nonzero per mask; " + _READ),
    P("mask and index", "v = a[m, i]", {"mask_index": 1}, _READ),
    P("uint8 mask read", "v = x[m.to(torch.uint8)]", {"mask_index": 1}, "[H] kByte like kBool"),
    P("all-false mask read", "v = x[x > 9]", {"mask_index": 1}, "the count must be read to know"),
    P("mask write of a tensor", "x[m] = y[:2]", {"mask_index": 1}, _WRITE),
    P("mask write of a 0-d CUDA tensor", "x[m] = f", {"mask_index": 1}, _WRITE),
    P("mask write of one CUDA element", "x[m] = y[:1]", {"mask_index": 1}, _WRITE),
    P("mask in-place add", "x[m] += 1.0", {"mask_index": 2}, "reads x[m], then writes a tensor"),
    P("index_put_ with a mask", "x.index_put_((m,), f)", {"mask_index": 1}, _WRITE),
    P("masked_select", "v = x.masked_select(m)", {"masked_select": 1}, "[S] cuda/IndexKernel.cpp"),
    P("torch.masked_select", "v = torch.masked_select(a, m)", {"masked_select": 1}, "index_out"),
    P(
        "masked_fill_ by a CUDA value",
        "x.masked_fill_(m, f)",
        {"masked_fill": 1},
        "[S] cuda/Indexing.cu masked_fill__cuda(Tensor): value.item()",
    ),
    P(
        "masked_fill by a CUDA value",
        "v = x.masked_fill(m, f)",
        {"masked_fill": 1},
        "[S] clone, then masked_fill_ with value.item()",
    ),
    P(
        "index_fill by a CUDA value",
        "v = x.index_fill(0, i, f)",
        {"index_fill": 1},
        "source.item()",
    ),
    P("bool list read", "v = x[[True, False, True, False]]", {"h2d": 1, "mask_index": 1}, _LIST),
    P("CPU index read", "v = x[ci]", {"h2d": 1}, _CPU_INDEX),
    P("CPU index read of columns", "v = a[:, ci]", {"h2d": 1}, _CPU_INDEX),
    P("two CPU indices", "v = a[ci, ci]", {"h2d": 2}, "each index is moved; " + _CPU_INDEX),
    P("list index read", "v = x[[0, -1]]", {"h2d": 1}, _LIST),
    P("numpy index read", "v = x[np.array([0, 2])]", {"h2d": 1}, _LIST),
    P("arange index read", "v = x[torch.arange(3)]", {"h2d": 1}, _CPU_INDEX),
    P("CPU index write", "x[ci] = f", {"h2d": 1}, "[T] x[ind_cpu] = y; " + _CPU_INDEX),
    P(
        "CPU index write of a number",
        "x[ci] = 1.0",
        {"h2d": 2},
        "index and value; " + _SCALAR,
        before=(2, 14),
    ),
    P("index write of a number", "x[i] = 1.0", {"h2d": 1}, _SCALAR, before=(2, 14)),
    P(
        "CPU mask write of a number",
        "x[cm] = 1.0",
        {"h2d": 1},
        "[H] the mask is on another device, so no masked_fill: the value moves; " + _SCALAR,
        before=(2, 14),
    ),
    P(
        "mask and index write of a number",
        "a[m, i] = 1.0",
        {"mask_index": 1, "h2d": 1},
        "[H] an integer index rules masked_fill out; " + _SCALAR,
        before=(2, 14),
    ),
    P(
        "element write of a number",
        "x[0] = 5.0",
        {"h2d": 1},
        "[H] TensorIndexing.h copy_to: same sizes, so copy_ of a CPU scalar; [PR] pytorch 186482"
        " measured it, 188267 removes it later",
        before=(2, 14),
    ),
    P(
        "element write at two indices",
        "a[1, 2] = 5.0",
        {"h2d": 1},
        "[H] copy_to; [PR] 186482",
        before=(2, 14),
    ),
    P(
        "element write at a 0-d index",
        "x[t] = 5.0",
        {"item": 1, "h2d": 1},
        "[H] item, then copy_to",
        before=(2, 14),
    ),
    P("row write of a CPU tensor", "a[0] = cy", {"h2d": 1}, "[S] cuda/Copy.cu: blocking copy"),
    # gradients
    P("mask read, backward", "v = w[m]", {"mask_index": 2}, _BACK_READ, setup=_W, frame=_BACKWARD),
    P(
        "masked_select, backward",
        "v = w.masked_select(m)",
        {"masked_select": 1},
        "[S] masked_select_backward: masked_scatter, cuda/IndexKernel.cpp reads nothing",
        setup=_W,
        frame=_BACKWARD,
    ),
    P(
        "mask write, backward",
        "v[m] = f",
        {"mask_index": 2},
        _BACK_WRITE,
        setup=_W,
        frame="v = w * 1\n" + _BACKWARD,
    ),
    P(
        "mask write of a learned value, backward",
        "v[m] = u",
        {"mask_index": 3},
        "forward, gradient of self, gradient of the values; " + _BACK_WRITE,
        setup=_W + "\nu = torch.ones(2, device='cuda', requires_grad=True)",
        frame="v = w * 1\n" + _BACKWARD,
    ),
    P(
        "mask write of a number, backward",
        "v[m] = 0.0",
        {},
        "zeros like the CPU scalar: masked_fill again; " + _FILL,
        setup=_W,
        frame="v = w * 1\n" + _BACKWARD,
    ),
    P(
        "CPU index read, backward",
        "v = w[ci]",
        {"h2d": 2},
        "[S] cuda/Indexing.cu computeLinearIndex: .to(device) again",
        setup=_W,
        frame=_BACKWARD,
    ),
    P(
        "index read, backward",
        "v = w[i]",
        {},
        "index_put(accumulate) with device indices",
        setup=_W,
        frame=_BACKWARD,
    ),
    P(
        "where, backward",
        "v = torch.where(m, w, 0.0)",
        {},
        "three arguments",
        setup=_W,
        frame=_BACKWARD,
    ),
    P(
        "masked_fill, backward",
        "v = w.masked_fill(m, 0.0)",
        {},
        "masked_fill of the gradient",
        setup=_W,
        frame=_BACKWARD,
    ),
    # look-alikes
    P("mask write of a number", "x[m] = 1.0", {}, _FILL),
    P("mask write of columns of a number", "a[:, m] = 0.0", {}, _FILL),
    P("mask write of a CPU 0-d tensor", "x[m] = cf", {}, _FILL),
    P("mask write of one CPU element", "x[m] = cy[:1]", {}, "[H] numel() == 1 and on the CPU"),
    P("masked_fill by a number", "v = x.masked_fill(m, float('-inf'))", {}, "Scalar overload"),
    P("masked_fill by a CPU 0-d tensor", "v = x.masked_fill(m, cf)", {}, "item() of a CPU tensor"),
    P("masked_scatter", "v = x.masked_scatter(m, y)", {}, "[S] cuda/IndexKernel.cpp: no read"),
    P("three-argument where", "v = torch.where(m, x, y)", {}, "[S] native/TensorCompare.cpp"),
    P("where with a number", "v = torch.where(m, x, 0.0)", {}, "scalar_tensor on the device: fill"),
    P("multiply by a mask", "v = x * m", {}, "elementwise"),
    P("CPU mask read", "v = x[cm]", {}, "[T] x[mask_cpu]; [H] expandTensors: pinned, non_blocking"),
    P("CPU mask write of a CUDA value", "x[cm] = f", {}, "[T] x[mask_cpu] = y; [H] expandTensors"),
    P("index read", "v = x[i]", {}, "[T] x[ind]"),
    P("index write of a CUDA value", "x[i] = f", {}, "[T] x[ind] = y"),
    P(
        "index_put_ accumulate",
        "x.index_put_((i,), f, accumulate=True)",
        {},
        "[S] cuda/Indexing.cu wrapIndexOnce: _assert_async",
    ),
    P("index_fill by a number", "v = x.index_fill(0, i, 2.0)", {}, "Scalar overload"),
    P(
        "index_select, gather, scatter",
        "v = x.index_select(0, i) + x.gather(0, i)",
        {},
        "on device",
    ),
    P("scatter_add_", "x.scatter_add_(0, i, y)", {}, "on the device"),
    P("integer indices and slices", "v = a[0, 1:3] + a[-1, ::2]", {}, "views"),
    P("row write of a number", "a[0] = 5.0", {}, "[H] copy_to: sizes differ, 0-d CPU: fill_"),
    P("slice write of a number", "x[1:3] = 5.0", {}, "[H] copy_to: fill_; [PR] 186482 says so"),
    P("element write of a CUDA value", "x[0] = f", {}, "device to device copy"),
)
