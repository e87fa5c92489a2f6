"""List the lines of a program that may synchronise on CUDA, without perfkit: a help for writing truth files.

A device of PyTorch's PrivateUse1 slot stands in for CUDA: its tensors wrap CPU tensors, report a
device that is not the CPU in C++ and in Python, and go through autograd's own device thread. Every
operator that crosses between the two devices, or whose CUDA form is known to wait, is listed with
the innermost line outside torch. The list is a set of candidates: what is written into
`truth/*.json` was decided by reading each line.

Knows nothing of: waits inside CUDA kernels that are not in `WAITS`, steps, and branches on
`device.type == "cuda"`. A Python scalar assigned to an indexed tensor (`x[i] = 1.0`) shows as a 0-d value
on this device, where CUDA keeps it on the CPU: masks then fill without waiting, index lists and
single elements copy it over. Programs that build their own CUDA runtime objects do not run here;
`--cpu` runs them on the CPU and lists what touches any tensor.

Usage: python _oracle.py [--cpu] SCRIPT [ARGS]...
"""

from __future__ import annotations

import argparse
import linecache
import os
import runpy
import sys
import sysconfig
from collections import Counter
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

FAR = "faraway"
HERE = os.path.abspath(__file__)
HIDDEN = (os.path.dirname(torch.__file__) + os.sep, sysconfig.get_paths()["stdlib"] + os.sep, "<")

# Operators that wait on CUDA whatever their arguments are.
WAITS = {
    "_local_scalar_dense", "nonzero", "masked_select", "unique_dim", "_unique", "_unique2",
    "unique_consecutive", "bincount", "equal", "_linalg_check_errors", "_coalesce", "nanmedian",
    "linalg_eigh", "_linalg_eigh", "_linalg_svd", "linalg_inv_ex", "linalg_lstsq",
}  # fmt: skip
# Operators that wait only with some arguments, or that resemble those above.
MAYBE = {
    "index", "index_put", "index_put_", "_index_put_impl_", "repeat_interleave", "masked_fill",
    "masked_fill_", "_to_copy", "copy_", "one_hot", "where", "multinomial", "is_nonzero", "histc",
    "lift_fresh", "_ctc_loss", "embedding_renorm_", "_pack_padded_sequence", "_assert_async",
    "nonzero_static", "count_nonzero", "segment_reduce", "_pin_memory", "normal", "searchsorted",
}  # fmt: skip
READS = ("tolist", "numpy", "__repr__", "__format__", "__array__", "__reduce_ex__", "__len__")

Site = tuple[str, int, str, str]
seen: Counter[Site] = Counter()
forward_lines: dict[int, tuple[str, int]] = {}


class Far(torch.Tensor):
    """A CPU tensor (`raw`) that claims to live on the stand-in device."""

    raw: torch.Tensor

    @staticmethod
    def __new__(cls, raw: torch.Tensor) -> Far:
        far = torch.Tensor._make_wrapper_subclass(
            cls, raw.shape, raw.stride(), raw.storage_offset(),
            dtype=raw.dtype, layout=raw.layout, device=FAR + ":0", requires_grad=False,
        )  # fmt: skip
        far.raw = raw
        return far

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


def is_far_device(device: object) -> bool:
    return device is not None and torch.device(device).type != "cpu"  # type: ignore[arg-type]


def place() -> tuple[str, int]:
    """Innermost line outside torch; in backward, the forward line whose gradient is running."""
    node = torch._C._current_autograd_node()
    if node is not None:
        return forward_lines.get(node._sequence_nr(), ("<backward>", 0))
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        installed = "site-packages" in file and not file.startswith(HIDDEN[0])
        if file != HERE and (installed or not file.startswith(HIDDEN)):
            return file, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return "<none>", 0


def note(op: str, what: str) -> None:
    if torch._C._current_autograd_node() is not None:
        what += " (backward)"
    seen[(*place(), op, what)] += 1


def judge(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Note one operator call that crosses devices, waits, or resembles one that waits."""
    flat = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
    far = any(isinstance(t, Far) for t in flat)
    on = "far" if far else "cpu"
    if name in ("_to_copy", "copy_"):
        source = args[1] if name == "copy_" else args[0]
        target = kwargs.get("device")
        to_far = isinstance(args[0], Far) if target is None else is_far_device(target)
        if isinstance(source, Far) != to_far:
            soft = " non_blocking" if kwargs.get("non_blocking") or True in args[2:3] else ""
            note(name, ("H2D" if to_far else "D2H") + soft)
        elif name == "copy_" and args[0].dim() == 0:
            note(name, f"{on} 0-d from {'far' if isinstance(source, Far) else 'cpu'}")
    elif name in ("index", "index_put", "index_put_", "_index_put_impl_"):
        picks = [t for t in args[1] if t is not None]
        kinds = "+".join(
            ("mask" if t.dtype in (torch.bool, torch.uint8) else "list")
            + ("" if isinstance(t, Far) else "/cpu")
            for t in picks
        )
        value = ""
        if name != "index":
            v = args[2]
            value = f" value {'far' if isinstance(v, Far) else 'cpu'} {v.numel()}"
        scalar = name != "index" and args[2].dim() == 0
        if "mask" in kinds or scalar or (isinstance(args[0], Far) and "cpu" in kinds):
            note(name, f"{on} self by {kinds}{value}{' 0-d' if scalar else ''}")
    elif name == "lift_fresh":
        return
    elif name in WAITS or name in MAYBE:
        extra = ",".join(f"{k}={v}" for k, v in kwargs.items() if isinstance(v, (int, str)))
        note(name, f"{on} {extra}".strip())


def run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operator on the raw tensors and wrap what belongs on the stand-in device."""
    name = func._schema.name.split("::")[1]
    judge(name, args, kwargs)
    if torch._C._current_autograd_node() is None:
        # The node of this call has the number drawn just before the kernel runs.
        forward_lines.setdefault(torch.autograd._get_sequence_nr() - 1, place())
    owner: dict[int, torch.Tensor] = {}

    def unwrap(x: Any) -> Any:
        if isinstance(x, Far):
            owner[id(x.raw)] = x
            return x.raw
        if isinstance(x, torch.device) and x.type != "cpu":
            return torch.device("cpu")
        return x

    far = any(isinstance(t, Far) for t in tree_flatten((args, kwargs))[0])
    if kwargs.get("device") is not None:
        far = is_far_device(kwargs["device"])
    raw_args, raw_kwargs = tree_map(unwrap, (args, kwargs))
    given = {
        id(t): t for t in tree_flatten((raw_args, raw_kwargs))[0] if isinstance(t, torch.Tensor)
    }
    if name == "histc":  # integers have a CUDA kernel but no CPU kernel
        raw_args = (raw_args[0].float(), *raw_args[1:])
    out = func(*raw_args, **raw_kwargs)

    def wrap(t: Any) -> Any:
        if not isinstance(t, torch.Tensor) or isinstance(t, Far):
            return t
        if id(t) in owner or id(t) in given:
            return owner.get(id(t), t)
        return Far(t) if far else t

    if name in ("_pack_padded_sequence", "_pad_packed_sequence"):
        return wrap(out[0]), out[1]
    return tree_map(wrap, out)


class Dispatch(TorchDispatchMode):
    """Sees what has no tensor on the stand-in device: factories and CPU look-alikes."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


class Python(TorchFunctionMode):
    """Translates `cuda` to the stand-in device and notes reads that end in Python."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name in READS and args and isinstance(args[0], torch.Tensor):
            on = "far" if isinstance(args[0], Far) else "cpu"
            if name != "__len__":
                note(name, f"{on} read in Python, {args[0].dim()}-d")
                args = (getattr(args[0], "raw", args[0]), *args[1:])
        if name == "cuda" and args:
            return args[0].to(FAR + ":0")
        args, kwargs = tree_map(to_stand_in, (args, kwargs))
        if func in (torch.tensor, torch.as_tensor) and is_far_device(kwargs.get("device")):
            device = kwargs.pop("device")
            return func(*args, **kwargs).to(device)
        return func(*args, **kwargs)


def to_stand_in(x: Any) -> Any:
    if isinstance(x, torch.device) and x.type == "cuda":
        return torch.device(FAR, 0)
    return FAR + ":0" if isinstance(x, str) and (x == "cuda" or x.startswith("cuda:")) else x


def stand_in() -> torch.library.Library:
    """Install the stand-in device and make torch claim a GPU; keep what is returned."""
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

    _setup_privateuseone_for_python_backend(FAR)
    getattr(torch, FAR).get_amp_supported_dtype = lambda: [torch.float16, torch.bfloat16]
    library = torch.library.Library("aten", "IMPL")
    for op, overload in (
        ("empty.memory_format", torch.ops.aten.empty.memory_format),
        ("empty_strided", torch.ops.aten.empty_strided.default),
    ):
        library.impl(op, lambda *a, _o=overload, **k: run(_o, a, k), "PrivateUse1")
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    torch.inference_mode = torch.no_grad  # inference tensors cannot wrap tensors that are none
    torch.cuda.is_available = lambda: True
    torch.cuda.manual_seed = torch.cuda.manual_seed_all = lambda seed: None
    return library


def show() -> None:
    for (file, line, op, what), count in sorted(seen.items()):
        short = file.split("site-packages" + os.sep)[-1]
        short = os.path.basename(short) if os.path.isabs(short) else short
        print(f"{short}:{line}\t{op}\t{what}\tx{count}\t{linecache.getline(file, line).strip()}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpu", action="store_true", help="run on the CPU, list every candidate")
    parser.add_argument("script")
    parser.add_argument("args", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    sys.argv = [options.script, *options.args]
    sys.path[0] = os.path.dirname(os.path.abspath(options.script))
    library = None if options.cpu else stand_in()  # its kernels live as long as it does
    try:
        with Dispatch(), Python():
            runpy.run_path(options.script, run_name="__main__")
    finally:
        show()
        del library
    return 0


if __name__ == "__main__":
    sys.exit(main())
