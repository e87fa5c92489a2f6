"""Copies between host and device, and what waits on purpose."""

from __future__ import annotations

from .pattern import Pattern as P

_COPY = "[S] cuda/Copy.cu copy_kernel_cuda: blocking copies memcpy_and_sync, pinned or not"
_PAGEABLE = "[S] cuda/Copy.cu: no stream sync, the driver stages pageable memory on the host"
_TENSOR = (
    "[S] csrc/utils/tensor_new.cpp internal_new_from_data: built on the host, then .to(device)"
)
_FACTORY = "filled on the device"
_MODULE = "one copy per parameter"
_EMPTY = "[S] native/Copy.cpp copy_impl: zero elements return at once"
_PINNED = "h = torch.empty(4).pin_memory()\ng = torch.ones(4, 4).pin_memory()"
_NET = "net = nn.Linear(4, 4)"
_CUDA_NET = "net = nn.Linear(4, 4).to('cuda')"
_LOADER = (
    "from torch.utils.data import DataLoader, TensorDataset\n"
    "loader = DataLoader(TensorDataset(torch.ones(4, 2)), batch_size=2, pin_memory={pin})"
)
_GRAD = "w = torch.ones(4, device='cuda', requires_grad=True)"
_BACKWARD = "{line}\nv.sum().backward()"

_H2D = {"h2d": 1}
_D2H = {"d2h": 1}
_SOFT = {"h2d_pageable_async": 1}

COPIES: tuple[P, ...] = (
    P("to cuda", "v = cx.to('cuda')", _H2D, _COPY),
    P("to a device object", "v = cx.to(torch.device('cuda', 0))", _H2D, _COPY),
    P("to another tensor", "v = cx.to(x)", _H2D, _COPY),
    P("to cuda as half", "v = cx.to('cuda', torch.float16)", _H2D, "cast on the host; " + _COPY),
    P("cuda()", "v = cx.cuda()", _H2D, _COPY),
    P("type of cuda", "v = cx.type('torch.cuda.FloatTensor')", _H2D, _COPY),
    P("copy_ from the CPU", "x.copy_(cx)", _H2D, _COPY),
    P("pinned blocking to cuda", "v = h.to('cuda')", _H2D, _COPY, setup=_PINNED),
    P("fresh zeros to cuda", "v = torch.zeros(3).cuda()", _H2D, _COPY),
    P("from_numpy to cuda", "v = torch.from_numpy(np.ones(3)).cuda()", _H2D, _COPY),
    P("tensor of a list", "v = torch.tensor([1.0, 2.0], device='cuda')", _H2D, _TENSOR),
    P("tensor of a number", "v = torch.tensor(3.0, device='cuda')", _H2D, _TENSOR),
    P("as_tensor of numpy", "v = torch.as_tensor(np.ones(3), device='cuda')", _H2D, _TENSOR),
    P("asarray of a list", "v = torch.asarray([1, 2], device='cuda')", _H2D, _TENSOR),
    P("new_tensor", "v = x.new_tensor([1.0, 2.0])", _H2D, _TENSOR),
    P(
        "tensor under a default device",
        "v = torch.tensor([1.0])",
        _H2D,
        _TENSOR,
        frame="with torch.device('cuda'):\n    {line}",
    ),
    P(
        "where with a CPU 0-d tensor",
        "v = torch.where(m, x, cf)",
        _H2D,
        "[S] native/TensorCompare.cpp where_self_out: other.to(device)",
    ),
    P("module to cuda", "net.to('cuda')", {"h2d": 2}, _MODULE + "; " + _COPY, setup=_NET),
    P(
        "load_state_dict from the CPU",
        "net.load_state_dict(state)",
        {"h2d": 2},
        _MODULE,
        setup="state = nn.Linear(4, 4).state_dict()\n" + _CUDA_NET,
    ),
    P(
        "torch.load to cuda",
        "v = torch.load(buf, map_location='cuda')",
        {"h2d": ">=1"},
        "one copy per storage",
        setup="buf = io.BytesIO()\ntorch.save(cx, buf)\nbuf.seek(0)",
    ),
    P(
        "unpinned non_blocking",
        "v = cx.to('cuda', non_blocking=True)",
        _SOFT,
        _PAGEABLE,
        certain=False,
    ),
    P(
        "unpinned non_blocking cuda()",
        "v = cx.cuda(non_blocking=True)",
        _SOFT,
        _PAGEABLE,
        certain=False,
    ),
    P(
        "unpinned non_blocking copy_",
        "x.copy_(cx, non_blocking=True)",
        _SOFT,
        _PAGEABLE,
        certain=False,
    ),
    P(
        "strided pinned non_blocking",
        "v = g[:, ::2].to('cuda', non_blocking=True)",
        _SOFT,
        "[S] cuda/Copy.cu copy_requires_temporaries: made contiguous in pageable memory",
        setup=_PINNED,
        certain=False,
    ),
    P(
        "loader without pinning",
        "for (b,) in loader: b = b.to('cuda', non_blocking=True)",
        {"h2d_pageable_async": 2},
        _PAGEABLE,
        setup=_LOADER.format(pin=False),
        certain=False,
    ),
    P(
        "loader, blocking",
        "for (b,) in loader: b = b.to('cuda')",
        {"h2d": 2},
        _COPY,
        setup=_LOADER.format(pin=True),
    ),
    P("to cpu", "v = x.to('cpu')", _D2H, _COPY),
    P("cpu()", "v = x.cpu()", _D2H, _COPY),
    P("cpu().numpy()", "v = x.detach().cpu().numpy()", _D2H, "one copy, then host memory"),
    P("cpu().tolist()", "v = x.cpu().tolist()", _D2H, "one copy, then host memory"),
    P("cpu() then item", "v = x.cpu()[0].item()", _D2H, "one copy, then host memory"),
    P("numpy array of cpu()", "v = np.array(x.cpu())", _D2H, "one copy, then host memory"),
    P("CPU copy_ from cuda", "cx.copy_(x)", _D2H, _COPY),
    P("pinned copy_, blocking", "h.copy_(x)", _D2H, _COPY, setup=_PINNED),
    P(
        "pageable copy_, non_blocking",
        "cx.copy_(x, non_blocking=True)",
        _D2H,
        "the driver returns when pageable memory is written",
    ),
    P("module to cpu", "net.cpu()", {"d2h": 2}, _MODULE, setup=_CUDA_NET),
    P(
        "cpu(), backward",
        "v = w.cpu()",
        {"d2h": 1, "h2d": 1},
        "the gradient travels back",
        setup=_GRAD,
        frame=_BACKWARD,
    ),
    P(
        "cuda(), backward",
        "v = w.cuda()",
        {"h2d": 1, "d2h": 1},
        "the gradient travels back",
        setup="w = torch.ones(4, requires_grad=True)",
        frame=_BACKWARD,
    ),
    P(
        "save",
        "torch.save(x, buf)",
        {"save": ">=1"},
        "[P] serialization._save: storage.cpu()",
        setup="buf = io.BytesIO()",
    ),
    P(
        "save of a module",
        "torch.save(net.state_dict(), buf)",
        {"save": ">=1"},
        "[P] as above",
        setup=_CUDA_NET + "\nbuf = io.BytesIO()",
    ),
    P("pickle", "v = pickle.dumps(x)", {"save": ">=1"}, "[P] Storage.__reduce__ saves itself"),
    P("synchronize", "torch.cuda.synchronize()", {"synchronize": 1}, "waits by name"),
    P("accelerator synchronize", "torch.accelerator.synchronize()", {"synchronize": 1}, "by name"),
    P(
        "stream synchronize",
        "torch.cuda.current_stream().synchronize()",
        {"synchronize": 1},
        "name",
    ),
    P(
        "event synchronize",
        "e.synchronize()",
        {"synchronize": 1},
        "waits by name",
        setup="e = torch.cuda.Event()\ne.record()",
    ),
    P("empty_cache", "torch.cuda.empty_cache()", {"empty_cache": 1}, "cudaFree waits"),
    # look-alikes
    P("to cuda of a CUDA tensor", "v = x.to('cuda').cuda()", {}, "already there"),
    P("to cpu of a CPU tensor", "v = cx.to('cpu').cpu()", {}, "already there"),
    P("cast on the device", "v = x.to(torch.float16).float()", {}, "a kernel"),
    P("copy on the device", "v = x.to('cuda', copy=True) + x.clone()", {}, "device to device"),
    P("copy_ on the device", "x.copy_(y)", {}, "device to device"),
    P("deepcopy on the device", "v = copy.deepcopy(x)", {}, "storage copied on the device"),
    P("pinned non_blocking", "v = h.to('cuda', non_blocking=True)", {}, _COPY, setup=_PINNED),
    P("pinned non_blocking cuda()", "v = h.cuda(non_blocking=True)", {}, _COPY, setup=_PINNED),
    P("pinned non_blocking copy_", "x.copy_(h, non_blocking=True)", {}, _COPY, setup=_PINNED),
    P(
        "pinned non_blocking as half",
        "v = h.to('cuda', torch.float16, non_blocking=True)",
        {},
        "[S] cuda/Copy.cu: non_blocking casts on the device",
        setup=_PINNED,
    ),
    P(
        "pinned transposed non_blocking",
        "v = g.t().to('cuda', non_blocking=True)",
        {},
        "dense: strides are kept",
        setup=_PINNED,
    ),
    P("pinned and pageable to cuda, empty", "v = cx[:0].to('cuda')", {}, _EMPTY),
    P("tensor of nothing", "v = torch.tensor([], device='cuda')", {}, _EMPTY),
    P(
        "loader with pinning",
        "for (b,) in loader: b = b.to('cuda', non_blocking=True)",
        {},
        _COPY,
        setup=_LOADER.format(pin=True),
    ),
    P("pin_memory", "v = cx.pin_memory()", {}, "host memory only"),
    P(
        "to cpu, non_blocking",
        "v = x.to('cpu', non_blocking=True)",
        {},
        "[S] native/TensorConversions.cpp _to_copy: pin_out makes the destination pinned",
    ),
    P("pinned copy_, non_blocking", "h.copy_(x, non_blocking=True)", {}, _COPY, setup=_PINNED),
    P(
        "factories",
        "v = torch.zeros(3, device='cuda') + torch.full((3,), 2.0, device='cuda')",
        {},
        _FACTORY,
    ),
    P(
        "arange, rand, eye",
        "v = torch.arange(3, device='cuda') + torch.rand(3, device='cuda')",
        {},
        _FACTORY,
    ),
    P("scalar_tensor", "v = torch.scalar_tensor(3.0, device='cuda')", {}, "empty and fill"),
    P(
        "likes and news",
        "v = torch.zeros_like(x) + x.new_full((4,), 2.0) + x.new_zeros(4)",
        {},
        _FACTORY,
    ),
    P(
        "factories under a default device",
        "v = torch.arange(3) + torch.ones(3)",
        {},
        _FACTORY,
        frame="with torch.device('cuda'):\n    {line}",
    ),
    P("parameter on the device", "v = nn.Parameter(torch.ones(3, device='cuda'))", {}, _FACTORY),
    P("module on the device", "v = nn.Linear(4, 4, device='cuda')", {}, "initialised there"),
    P("number arithmetic", "v = 2.0 * x + 1 - x / 3", {}, "kernel arguments"),
    P("0-d CPU tensor arithmetic", "v = x * cf + ct", {}, "TensorIterator: a CPU scalar operand"),
    P("CPU fill_ value", "x.fill_(cf)", {}, "[S] native/Fill.cpp: item() of a CPU tensor"),
    P("state_dict", "v = net.state_dict()", {}, "references", setup=_CUDA_NET),
    P("CPU save", "torch.save(cx, buf)", {}, "no device", setup="buf = io.BytesIO()"),
    P(
        "CPU load",
        "v = torch.load(buf, map_location='cpu')",
        {},
        "no device",
        setup="buf = io.BytesIO()\ntorch.save(cx, buf)\nbuf.seek(0)",
    ),
    P(
        "stream and event waits",
        "s.wait_stream(torch.cuda.current_stream()); s.wait_event(e)",
        {},
        "streams wait, the host does not",
        setup="s, e = torch.cuda.Stream(), torch.cuda.Event()\ne.record()",
    ),
    P(
        "event record, wait, query",
        "e.record(); e.wait(); v = e.query()",
        {},
        "the host goes on",
        setup="e = torch.cuda.Event()",
    ),
    P(
        "stream context",
        "with torch.cuda.stream(s): v = x + 1",
        {},
        "the host goes on",
        setup="s = torch.cuda.Stream()",
    ),
    P(
        "memory statistics",
        "v = torch.cuda.memory_allocated() + torch.cuda.max_memory_reserved()",
        {},
        "the allocator's own counters",
    ),
    P(
        "device queries",
        "v = torch.cuda.get_device_name(0), torch.cuda.mem_get_info(), torch.cuda.device_count()",
        {},
        "driver queries",
    ),
    P("seeding", "torch.manual_seed(1); torch.cuda.manual_seed_all(1)", {}, "host state"),
    P("rng state", "torch.cuda.set_rng_state(torch.cuda.get_rng_state())", {}, "host state"),
)
