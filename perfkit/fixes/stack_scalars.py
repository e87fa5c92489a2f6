"""Stack scalars that are on the device instead of reading them and sending them back.

What it does
    `torch.tensor([a.item(), b.item()], device=d, dtype=t)` becomes `torch.stack([s.detach()
    .reshape(()).to(device=d, dtype=t) for s in (a, b)])`; without `dtype`, where all are proven to be
    floating, the default dtype is written out. `torch.tensor(a.item(), device=d)` becomes a copy of a.

Why it helps
    Each `.item()` waits for the device, and the list then travels back to it.

Why it is safe
    Every element is proven to be a tensor and is read by `.item()`, so it holds one element; each goes
    to the device and dtype by itself. The result is a copy without gradient, as before.

When not to act
    Where the values are needed on the host anyway, in that step.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes import _known, _match
from perfkit.fixes._codemod import Change, Example, Fix
from perfkit.fixes._tree import File

_SAFE_TO_REPEAT = (cst.Name, cst.Attribute, cst.SimpleString)


def stack_scalars(file: File) -> Iterator[Change]:
    """Tensors made from values that were read from the device."""
    for call in file.calls("tensor"):
        if file.dotted(call.func) != "torch.tensor" or not call.args or _match.starred(call):
            continue
        device, data = _match.argument(call, -1, "device"), call.args[0].value
        if (
            device is None
            or call.args[0].keyword
            or not _match.keywords(call) <= {"device", "dtype"}
        ):
            continue
        new = _stacked(file, call, data, device)
        if new is not None and _on_a_device(file, device):
            yield Change(call, {call: _match.expression(new, call)})


def _stacked(
    file: File, call: cst.Call, data: cst.BaseExpression, device: cst.BaseExpression
) -> str | None:
    elements = [e.value for e in data.elements] if isinstance(data, cst.List) else [data]
    read = [tensor for e in elements if (tensor := _match.method(e, "item")) is not None]
    if not read or len(read) < len(elements) or len(call.args) > 3:
        return None
    said = _match.argument(call, -1, "dtype")
    kinds = {_known.known(file, tensor) for tensor in read}
    if not file.torch or any(found.kind != "tensor" for found in kinds):
        return None
    if said is None and {found.dtype for found in kinds} != {"float"}:
        return None
    if said is not None and _known.dtype_of(file, said) != "float":
        return None
    dtype = file.code(said) if said is not None else f"{file.torch}.get_default_dtype()"
    to = f"device={file.code(device)}, dtype={dtype}"
    if not isinstance(data, cst.List):
        one = _match.receiver(file.code(read[0]), read[0])
        return f"{one}.detach().reshape(()).to({to}, copy=True)"
    tuple_of = "".join(f"{file.code(one)}, " for one in read)
    tuple_of = tuple_of[:-1] if len(read) == 1 else tuple_of[:-2]
    return f"{file.torch}.stack([s.detach().reshape(()).to({to}) for s in ({tuple_of})])"


def _on_a_device(file: File, device: cst.BaseExpression) -> bool:
    bound = isinstance(device, cst.Name) and device.value == "s"
    return isinstance(device, _SAFE_TO_REPEAT) and not _match.names_host(device) and not bound


_HEAD = "import torch\nfrom torch import Tensor\n\n\n"

FIX = Fix(
    title="torch.stack of device scalars instead of torch.tensor of their values",
    safe=True,
    words=("tensor(",),
    signs=(
        r"\btensor\((?s:.{0,400}?)\.item\(\)",
        r"\bdevice\s*=",
    ),
    find=stack_scalars,
    answers=("tensor_of_scalars", "item", "h2d", "PK101", "PK142", "PK145"),
    silent=(
        Example(
            "stays on the host",
            _HEAD + "def f(a: Tensor):\n    return torch.tensor([a.sum().item()])\n",
        ),
        Example(
            "not all are read",
            _HEAD
            + "def f(a: Tensor, d):\n    return torch.tensor([a.mean().item(), 1.0], device=d)\n",
        ),
        Example(
            "dtype unknown",
            _HEAD + "def f(a: Tensor, d):\n    return torch.tensor([a.item()], device=d)\n",
        ),
        Example(
            "perhaps no tensor",
            _HEAD + "def f(a, d):\n    return torch.tensor(a.item(), device=d)\n",
        ),
    ),
    examples=(
        Example(
            "a list",
            _HEAD + "def f(a: Tensor, d):\n"
            "    return torch.tensor([a.mean().item(), a.std().item()], device=d)  # both\n",
            _HEAD + "def f(a: Tensor, d):\n"
            "    return torch.stack([s.detach().reshape(()).to(device=d, "
            "dtype=torch.get_default_dtype()) for s in (a.mean(), a.std())])  # both\n",
            run="f(torch.arange(5.0, dtype=torch.float64), 'cpu')",
        ),
        Example(
            "one, with a dtype",
            _HEAD + "def f(a: Tensor, d):\n"
            "    return torch.tensor(a.item(), dtype=torch.float32, device=d)\n",
            _HEAD + "def f(a: Tensor, d):\n"
            "    return a.detach().reshape(()).to(device=d, dtype=torch.float32, copy=True)\n",
            run="f(torch.tensor([3.5]), 'cpu')",
        ),
    ),
)
