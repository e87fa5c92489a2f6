"""PyTorch's own expectations: the 18 forms of test_sync_warning in its test/test_torch.py.

That test runs on a real GPU with `torch.cuda.set_sync_debug_mode`; it says only whether a form
synchronises, so counts here are "at least one".
"""

from __future__ import annotations

from .pattern import Pattern as P

_SETUP = """\
x = torch.rand(4, device="cuda")
y = torch.rand((), device="cuda")
ind = torch.randint(4, (3,), device="cuda")
ind_cpu = ind.cpu()
repeats = torch.full((1,), 2, device="cuda")
mask = torch.randint(2, (4,), device="cuda", dtype=bool)
mask_cpu = mask.cpu()
"""

_SILENT = {
    "write a number by mask": "x[mask] = 1.0",
    "write by CPU mask": "x[mask_cpu] = y",
    "write by index": "x[ind] = y",
    "read by CPU mask": "v = x[mask_cpu]",
    "read by index": "v = x[ind]",
    "one_hot with classes": "v = F.one_hot(ind, num_classes=4)",
    "randperm": "v = torch.randperm(20000, device='cuda')",
    "repeat by a number with output_size": "v = torch.repeat_interleave(x, 2, output_size=8)",
    "repeat by a tensor with output_size": "v = torch.repeat_interleave(x, repeats, output_size=8)",
    "any": "v = torch.any(y)",
}

_SYNC = {
    "write by mask": ("x[mask] = y", "mask_index"),
    "write by CPU index": ("x[ind_cpu] = y", "h2d"),
    "read by mask": ("v = x[mask]", "mask_index"),
    "read by CPU index": ("v = x[ind_cpu]", "h2d"),
    "nonzero": ("v = x.nonzero()", "nonzero"),
    "condition": ("v = x if y else 2 * x", "item"),
    "one_hot without classes": ("v = F.one_hot(ind)", "one_hot"),
    "repeat by a tensor": ("v = torch.repeat_interleave(x, repeats)", "repeat_interleave"),
}

_NOTE = "[T] test/test_torch.py test_sync_warning"

SYNC_WARNING: tuple[P, ...] = (
    *(P(name, line, {}, _NOTE, setup=_SETUP) for name, line in _SILENT.items()),
    *(P(name, line, {kind: ">=1"}, _NOTE, setup=_SETUP) for name, (line, kind) in _SYNC.items()),
)
