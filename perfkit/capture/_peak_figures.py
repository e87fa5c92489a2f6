"""The single measurements behind `measured_here`: products, memory, launches, the bus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

from perfkit.capture._peak_timing import best_seconds, host_ns
from perfkit.model.peaks import Peak

MIB = 2**20
_SIZES = {"cpu": (256, 512, 1024, 2048), "cuda": (1024, 2048, 4096, 8192)}
_DTYPES = ("float64", "float32", "bfloat16", "float16", "int8", "float8_e4m3fn")
_TOO_LONG_S = 0.4
_CACHE = Path("/sys/devices/system/cpu/cpu0/cache")

Product = Callable[[], torch.Tensor]


def products(device: torch.device, budget_s: float) -> dict[str, Peak]:
    """Best FLOP/s of square products by dtype; a dtype this torch cannot multiply here is absent."""
    names = ("tf32", *_DTYPES) if device.type == "cuda" else _DTYPES[:-1]
    found = {name: _best_product(name, device, budget_s) for name in names}
    return {name: peak for name, peak in found.items() if peak is not None}


def _best_product(name: str, device: torch.device, budget_s: float) -> Peak | None:
    best, at = 0.0, 0
    for size in _SIZES[device.type]:
        try:
            with _float32_as("high" if name == "tf32" else "highest"):
                product = _product(name, size, device)
                seconds = best_seconds(product, device, budget_s)
        except (RuntimeError, NotImplementedError):  # also torch's out-of-memory
            break
        if 2 * size**3 / seconds > best:
            best, at = 2 * size**3 / seconds, size
        if seconds * 8 > _TOO_LONG_S:
            break
    if not at:
        return None
    call = {"int8": "torch._int_mm", "float8_e4m3fn": "torch._scaled_mm"}.get(name, "torch.mm")
    return Peak(best, "measured", f"{call} of {at} x {at}, best of several sizes and calls")


def _product(name: str, size: int, device: torch.device) -> Product:
    dtype = torch.float32 if name == "tf32" else getattr(torch, name)
    a = torch.randn(size, size, device=device)
    b = torch.randn(size, size, device=device)
    if name == "int8":
        a8, b8 = a.mul(30).to(torch.int8), b.mul(30).to(torch.int8)
        return lambda: torch._int_mm(a8, b8)
    if name.startswith("float8"):
        one = torch.ones((), device=device)
        a8, b8 = a.to(dtype), b.to(dtype).t()
        return lambda: torch._scaled_mm(a8, b8, one, one, out_dtype=torch.bfloat16)
    a, b = a.to(dtype), b.to(dtype)
    out = torch.empty(size, size, device=device, dtype=dtype)
    return lambda: torch.mm(a, b, out=out)


@contextmanager
def _float32_as(precision: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def bandwidth(device: torch.device, budget_s: float) -> Peak:
    """Bytes/s of the best of copy, triad and update, reads and writes together.

    The arrays are larger than the caches. A CPU reads a line before it overwrites it, which is not
    counted; the update in place has no such read, and mostly is the best there.
    """
    elements = array_bytes(device) // 4
    a, b, c = (torch.ones(elements, device=device) for _ in range(3))
    streams: dict[str, tuple[int, Product]] = {
        "copy, a = b": (2, lambda: a.copy_(b)),
        "triad, a = b + 3c": (3, lambda: torch.add(b, c, alpha=3.0, out=a)),
        "update, a += c": (3, lambda: a.add_(c)),
    }
    found = {
        name: arrays * a.nbytes / best_seconds(work, device, budget_s)
        for name, (arrays, work) in streams.items()
    }
    name = max(found, key=lambda each: found[each])
    source = f"{name} with arrays of {a.nbytes // MIB} MiB, best of three kinds and many calls"
    return Peak(found[name], "measured", source)


def array_bytes(device: torch.device) -> int:
    """Bytes of one array that no cache holds and that three times fit into an eighth of memory."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(min(1024 * MIB, free // 24))
    wanted = max(128 * MIB, 4 * last_level_cache(_CACHE))
    return int(max(MIB, min(wanted, psutil.virtual_memory().available // 24)))


def last_level_cache(folder: Path) -> int:
    """Bytes of the largest cache Linux lists; 0 where it lists none."""
    sizes = [0]
    for file in folder.glob("index*/size"):
        try:
            text = file.read_text(encoding="ascii").strip()
            sizes.append(int(text.rstrip("KM")) * (MIB if text.endswith("M") else 1024))
        except (OSError, ValueError):
            continue
    return max(sizes)


def host_operator(device: torch.device) -> Peak:
    """Host time of one small operator through the dispatcher, without and with autograd."""
    value = torch.ones(4, device=device)
    with torch.no_grad():
        plain = host_ns(lambda: torch.add(value, value), device)
    leaf = value.clone().requires_grad_()
    with torch.enable_grad():
        graph = host_ns(lambda: torch.add(leaf, leaf), device)
    what = "the launch included" if device.type == "cuda" else "the work on 4 elements included"
    return Peak(plain, "measured", f"torch.add, {what}; {graph:,.0f} ns where autograd records it")


def launch(device: torch.device) -> Peak:
    """Host time of one kernel launch without the dispatcher."""
    source = "torch.cuda._sleep(1), host side, best of many"
    return Peak(host_ns(lambda: torch.cuda._sleep(1), device), "measured", source)


def idle_sync(device: torch.device) -> Peak:
    """Host time of waiting for a device that has nothing to do."""
    taken = host_ns(lambda: torch.cuda.synchronize(device), device)
    return Peak(taken, "measured", "torch.cuda.synchronize of an idle device, best of many")


def bus(device: torch.device, budget_s: float) -> dict[str, Peak]:
    """Copies over the bus, both ways, pinned and pageable, in bytes/s."""
    size = min(256 * MIB, array_bytes(device), int(psutil.virtual_memory().available // 8))
    there = torch.empty(size, dtype=torch.uint8, device=device)
    found = {}
    for memory in ("pinned", "pageable"):
        here = torch.ones(size, dtype=torch.uint8, pin_memory=memory == "pinned")
        for way, target, source in (("h2d", there, here), ("d2h", here, there)):
            work = _copy(target, source)
            seconds = best_seconds(work, device, budget_s)
            text = f"copy of {size // MIB} MiB, {memory} memory, best of many"
            found[f"{way}_{memory}"] = Peak(size / seconds, "measured", text)
    return found


def _copy(target: torch.Tensor, source: torch.Tensor) -> Product:
    return lambda: target.copy_(source, non_blocking=True)
