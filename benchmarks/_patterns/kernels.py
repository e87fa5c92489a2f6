"""Operators whose CUDA kernels or composites read a value back, and those that only look like it."""

from __future__ import annotations

from .pattern import Pattern as P

_NONZERO = "[S] cuda/Nonzero.cu nonzero_cuda_out_impl: memcpy_and_sync of the count"
_REPEAT = "[T]; [H] native/Repeat.h: cumsum[-1].item() and (repeats >= 0).all().item()"
_UNIQUE = "[S] cuda/UniqueCub.cu compute_unique: length.item()"
_BINCOUNT = "[S] cuda/SummaryOps.cu _bincount_cuda_template: min().cpu() and max().item()"
_LINALG = "[D] _linalg_check_errors: infos.any().item()"
_EX = "check_errors=False: the info tensor stays on the device"
_CPU_ONLY = "only the CPU kernel reads"
_SPARSE = "s = torch.sparse_coo_tensor(torch.stack([i, i]), y[:2], (4, 4))"
_NORMAL = (
    "[H] DistributionTemplates.h: normal_impl checks std, and normal_out_impl checks it again;"
    " [PR] pytorch 186508 removes both later"
)
_W = "w = torch.arange(1.0, 5.0, device='cuda', requires_grad=True)"
_BACKWARD = "{line}\nv.sum().backward()"
_SUBCLASS = "; [H] TensorSubclassLikeUtils.h: an active dispatch mode hides this branch"

_ONE = {"nonzero": 1}
_CHECK = {"linalg_check": 1}

KERNELS: tuple[P, ...] = (
    P("nonzero", "v = x.nonzero()", _ONE, "[T]; " + _NONZERO),
    P("nonzero as a tuple", "v = torch.nonzero(m, as_tuple=True)", _ONE, _NONZERO),
    P("one-argument where", "v = torch.where(m)", _ONE, "nonzero_numpy; " + _NONZERO),
    P("argwhere", "v = torch.argwhere(m)", _ONE, _NONZERO),
    P("to_sparse", "v = a.to_sparse()", _ONE, "[S] native/TensorConversions.cpp dense_to_sparse"),
    P(
        "combinations",
        "v = torch.combinations(x)",
        {"masked_select|nonzero": 2},
        "[S] native/Itertools.cpp: one masked_select per column",
    ),
    P(
        "repeat_interleave by a tensor",
        "v = x.repeat_interleave(k)",
        {"repeat_interleave": 2},
        _REPEAT,
    ),
    P(
        "repeat_interleave along a dimension",
        "v = a.repeat_interleave(k, dim=0)",
        {"repeat_interleave": 2},
        _REPEAT,
    ),
    P(
        "repeat_interleave of counts",
        "v = torch.repeat_interleave(k)",
        {"repeat_interleave": 2},
        _REPEAT,
    ),
    P(
        "repeat_interleave, backward",
        "v = w.repeat_interleave(k)",
        {"repeat_interleave": 2},
        "the gradient is index_add; " + _REPEAT,
        setup=_W,
        frame=_BACKWARD,
    ),
    P("unique", "v = k.unique()", {"unique": 1}, _UNIQUE),
    P(
        "unique with inverse and counts",
        "v = torch.unique(k, return_inverse=True, return_counts=True)",
        {"unique": 1},
        _UNIQUE,
    ),
    P("unique of bools", "v = m.unique()", {"unique": 1}, "[S] UniqueCub<bool>: memcpy_and_sync"),
    P("unique_consecutive", "v = k.unique_consecutive()", {"unique": 1}, _UNIQUE),
    P(
        "unique rows",
        "v = torch.unique(a, dim=0)",
        {"unique": ">=1"},
        "[S] cuda/Unique.cu: thrust::unique returns its end",
    ),
    P("bincount", "v = torch.bincount(k)", {"bincount": 2}, _BINCOUNT),
    P("bincount with minlength", "v = torch.bincount(k, minlength=8)", {"bincount": 2}, _BINCOUNT),
    P("bincount with weights", "v = k.bincount(x)", {"bincount": 2}, _BINCOUNT),
    P(
        "histc without range",
        "v = torch.histc(x, bins=4)",
        {"histc": 2},
        "[S] cuda/SummaryOps.cu _histc_cuda_template: min and max",
    ),
    P(
        "one_hot without classes",
        "v = F.one_hot(k)",
        {"one_hot": 1},
        "[T]; [S] native/Onehot.cpp: self.max().item()",
    ),
    P("equal", "v = torch.equal(x, y)", {"equal": 1}, "[S] cuda/Equal.cpp: eq().all().item()"),
    P("Tensor.equal", "v = x.equal(x.clone())", {"equal": 1}, "[S] cuda/Equal.cpp"),
    P("allclose", "v = torch.allclose(x, y)", {"allclose": 1}, "isclose().all().item()"),
    P(
        "istft",
        "v = torch.istft(s, 16, window=h)",
        {"equal|item": 1},
        "[S] SpectralOps.cpp istft: is_scalar_tensor_true, which is at::equal",
        setup="h = torch.hann_window(16, device='cuda')\ns = torch.stft(torch.rand(64,"
        " device='cuda'), 16, window=h, return_complex=True)",
    ),
    P(
        "searchsorted with a sorter",
        "v = torch.searchsorted(x, y, sorter=k)",
        {"item": 2},
        "[H] BucketizationUtils.h: aminmax of the sorter, item twice",
    ),
    P(
        "nanmedian",
        "v = x.nanmedian()",
        {"nanmedian": 1},
        "[S] cuda/Sorting.cpp median_impl: isnan().sum().item()",
    ),
    P("normal with tensor std", "v = torch.normal(x, y)", {"normal": 2}, _NORMAL, before=(2, 14)),
    P(
        "normal with number and tensor",
        "v = torch.normal(0.0, y)",
        {"normal": 2},
        _NORMAL,
        before=(2, 14),
    ),
    P("linspace of tensors", "v = torch.linspace(x[0], x[1], 3)", {"linspace": 2}, "[D] both ends"),
    P("linspace to a tensor", "v = torch.linspace(0, x[1], 3)", {"linspace": 1}, "[D] one end"),
    P(
        "segment_reduce",
        "v = torch.segment_reduce(x, 'sum', lengths=i + 1)",
        {"segment_reduce": 2},
        "[S] native/SegmentReduce.cpp: min().item() and all().item()",
    ),
    P("inv", "v = torch.linalg.inv(a)", _CHECK, _LINALG),
    P("inverse", "v = torch.inverse(a)", _CHECK, _LINALG),
    P("solve", "v = torch.linalg.solve(a, a)", _CHECK, _LINALG),
    P("cholesky", "v = torch.linalg.cholesky(a)", _CHECK, _LINALG),
    P("lu_factor", "v = torch.linalg.lu_factor(a)", _CHECK, _LINALG),
    P(
        "eigh",
        "v = torch.linalg.eigh(a)",
        {"linalg_check": ">=1"},
        _LINALG + ", solver syncs aside",
    ),
    P("svd", "v = torch.linalg.svd(a)", {"linalg_check": ">=1"}, _LINALG + ", solver syncs aside"),
    P("pinv", "v = torch.linalg.pinv(a)", {"linalg_check": ">=1"}, "through svd; " + _LINALG),
    P(
        "grouped_mm in fp32",
        "v = torch._grouped_mm(g, h, offs=o)",
        {"grouped_mm": 1},
        "[H] native/GroupedMMUtils.h: the fallback's offs.cpu()",
        setup="g, h = torch.rand(8, 16, device='cuda'), torch.rand(2, 16, 16, device='cuda')\n"
        "o = torch.tensor([4, 8], dtype=torch.int32, device='cuda')",
        since=(2, 9),
    ),
    P(
        "bmm in place of grouped_mm",
        "v = torch.bmm(g, h)",
        {},
        "sizes are on the host",
        setup="g, h = torch.rand(2, 4, 16, device='cuda'), torch.rand(2, 16, 16, device='cuda')",
    ),
    P(
        "ctc_loss with CUDA lengths",
        "v = F.ctc_loss(lp, tg, il, tl)",
        {"ctc_loss": ">=2"},
        "[S] native/LossCTC.cpp ctc_loss: both lengths .to(kCPU)",
        setup="lp = torch.rand(6, 2, 4, device='cuda').log_softmax(2)\n"
        "tg = torch.tensor([[1, 2], [2, 3]], device='cuda')\n"
        "il, tl = torch.tensor([6, 6], device='cuda'), torch.tensor([2, 2], device='cuda')",
        directions={"ctc_loss": None},
    ),
    P(
        "ctc_loss with CPU lengths",
        "v = F.ctc_loss(lp, tg, il, tl)",
        {"ctc_loss|h2d": ">=3"},
        "[S] cuda/LossCTC.cu: lengths and offsets move to the device in every call",
        setup="lp = torch.rand(6, 2, 4, device='cuda').log_softmax(2)\n"
        "tg = torch.tensor([[1, 2], [2, 3]], device='cuda')\n"
        "il, tl = torch.tensor([6, 6]), torch.tensor([2, 2])",
        directions={"ctc_loss": None},
    ),
    P(
        "coalesce",
        "v = s.coalesce()",
        {"coalesce": ">=1"},
        "[S] sparse/cuda/SparseCUDATensor.cu: thrust::unique_by_key",
        setup=_SPARSE,
    ),
    P(
        "prod, backward",
        "v = w.prod()",
        _ONE,
        "[S] FunctionsManual.cpp prod_backward: (input == 0).nonzero()" + _SUBCLASS,
        setup=_W,
        frame=_BACKWARD,
    ),
    P(
        "prod along a dimension, backward",
        "v = w.view(2, 2).prod(1)",
        {"item": 1},
        "[S] FunctionsManual.cpp prod_backward: total zeros item()" + _SUBCLASS,
        setup=_W,
        frame=_BACKWARD,
    ),
    P(
        "cumprod, backward",
        "v = w.cumprod(0)",
        {"item": 1},
        "[S] FunctionsManual.cpp cumprod_backward: any zero, item()" + _SUBCLASS,
        setup=_W,
        frame=_BACKWARD,
    ),
    # look-alikes
    P("nonzero_static", "v = torch.nonzero_static(m, size=4)", {}, "[S] Nonzero.cu: static size"),
    P("count_nonzero", "v = x.count_nonzero()", {}, "a reduction"),
    P(
        "repeat_interleave with output_size",
        "v = x.repeat_interleave(k, output_size=5)",
        {},
        _REPEAT,
    ),
    P("repeat_interleave by a number", "v = x.repeat_interleave(2)", {}, "expand and clone"),
    P("one_hot with classes", "v = F.one_hot(k, num_classes=4)", {}, "[T]; " + _CPU_ONLY),
    P("histc with range", "v = torch.histc(x, bins=4, min=0, max=4)", {}, "bounds are given"),
    P("empty bincount", "v = torch.bincount(k[:0], minlength=4)", {}, "[S] returns zeros at once"),
    P("equal to itself", "v = torch.equal(x, x)", {}, "[S] cuda/Equal.cpp: alias, no kernel"),
    P("equal of other sizes", "v = torch.equal(x, a)", {}, "[S] cuda/Equal.cpp: sizes differ"),
    P("elementwise equality", "v = (x == y).all()", {}, "a reduction"),
    P("median", "v = x.median()", {}, "[S] cuda/Sorting.cpp median_impl: where on the device"),
    P("quantile", "v = x.quantile(f)", {}, "[S] native/Sorting.cpp: range check only on the CPU"),
    P(
        "normal with number std",
        "v = torch.normal(x, 1.0)",
        {},
        "[H] a number is checked on the host",
    ),
    P("linspace of numbers", "v = torch.linspace(0, 1, 5, device='cuda')", {}, "filled on device"),
    P(
        "unsafe segment_reduce",
        "v = torch.segment_reduce(x, 'sum', lengths=i + 1, unsafe=True)",
        {},
        "[S] no checks",
    ),
    P("inv_ex", "v = torch.linalg.inv_ex(a)", {}, _EX + "; lu_solve's pivot check is CPU only"),
    P("cholesky_ex", "v = torch.linalg.cholesky_ex(a)", {}, _EX),
    P("solve_ex", "v = torch.linalg.solve_ex(a, a)", {}, _EX),
    P("det", "v = torch.linalg.det(a)", {}, "LU without an error check"),
    P("qr", "v = torch.linalg.qr(a)", {}, "no error check"),
    P(
        "coalesce of a coalesced tensor",
        "v = s.coalesce()",
        {},
        "returns itself",
        setup=_SPARSE + "\ns = s.coalesce()",
    ),
    P(
        "max, backward",
        "v = w.max()",
        {},
        "[S] FunctionsManual.cpp evenly_distribute_backward: " + _CPU_ONLY,
        setup=_W,
        frame=_BACKWARD,
    ),
    P(
        "multinomial",
        "v = torch.multinomial(y, 2)",
        {},
        "[D] 2.13: _assert_async; " + _CPU_ONLY,
        since=(2, 13),
    ),
    P(
        "multinomial with replacement",
        "v = torch.multinomial(y, 3, replacement=True)",
        {},
        "the check is a device assertion in every version",
    ),
    P("_assert_async", "torch._assert_async(flag)", {}, "a device assertion"),
    P("randperm", "v = torch.randperm(20000, device='cuda')", {}, "[T]"),
    P(
        "sort, topk, cumsum",
        "v = x.sort().values + x.cumsum(0) + x.topk(4).values",
        {},
        "on device",
    ),
    P("isin", "v = torch.isin(k, i)", {}, "comparisons on the device"),
    P("searchsorted", "v = torch.searchsorted(x, y)", {}, "no sorter, nothing checked"),
    P("embedding", "v = F.embedding(k, a)", {}, "bounds are device assertions"),
    P("embedding_bag", "v = F.embedding_bag(k, a, i)", {}, _CPU_ONLY),
    P("cross_entropy", "v = F.cross_entropy(a, k)", {}, "targets are device assertions"),
    P("binary_cross_entropy", "v = F.binary_cross_entropy(y, y)", {}, "device assertions"),
    P("dropout and bernoulli", "v = F.dropout(x) + torch.bernoulli(y)", {}, "device generator"),
    P("attention", "v = F.scaled_dot_product_attention(a, a, a, attn_mask=a > 1)", {}, "on device"),
)
