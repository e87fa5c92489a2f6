"""Where in the user's program an operator was called: Python frames, taken cheaply, resolved later.

The *site* is the innermost frame outside torch, the standard library and perfkit. Work that autograd
does in a backward belongs to the line of the forward that recorded it.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile
from types import CodeType, FrameType

import torch
import torch.autograd.graph

from perfkit.catalogue import _index
from perfkit.model.syncs import Direction, Frame

Place = tuple[tuple[str, CodeType, int], ...]
"""Python frames as (file, code, last instruction), innermost first. Code objects of two files may
be equal, hence the file."""

TORCH_VERSION = (int(torch.__version__.split(".")[0]), int(torch.__version__.split(".")[1]))

_DEPTH = 40
_TORCH = os.path.dirname(torch.__file__) + os.sep
_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# These rooms hold programs that are measured, not machinery that measures.
_OUR_PROGRAMS = tuple(_HERE + room + os.sep for room in ("workloads", "rewrites"))
_STDLIB = sysconfig.get_paths()["stdlib"] + os.sep
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_LAUNCHERS = (
    os.path.join(_HERE, "capture", "script.py"),
    os.path.join(_HERE, "integrations", "notebook", "magics.py"),
)
_CELL = (f"IPython{os.sep}core{os.sep}interactiveshell.py", "run_code")
_ENGINE = (torch.autograd.graph.__file__, "_engine_run_backward")


called: dict[str, str] = {}
"""Files by another name: cells of a notebook, which `integrations.notebook` enters."""


@dataclass(frozen=True)
class Origin:
    """Where a hit comes from: its place, whether autograd runs it, and the kind its torch caller implies.

    `from_autograd` is True when no user code runs between the autograd engine and the operator, so
    that the place is only the line that started the backward.
    """

    place: Place
    in_backward: bool
    from_autograd: bool
    implied_kind: str | None


def origin(skip: int = 1) -> Origin:
    """The origin of the operator call that runs now, `skip` frames up."""
    found: list[tuple[str, CodeType, int]] = []
    implied: str | None = None
    in_backward = torch._C._current_graph_task_id() != -1
    below_engine: bool | None = None
    frame: FrameType | None = sys._getframe(skip)
    while frame is not None and len(found) < _DEPTH:
        code = frame.f_code
        if not is_machinery(code.co_filename):
            found.append((code.co_filename, code, frame.f_lasti))
        elif code.co_filename in _LAUNCHERS:
            break  # below lies how perfkit itself was started
        elif code.co_name == _ENGINE[1] and code.co_filename == _ENGINE[0]:
            below_engine = not found if below_engine is None else below_engine
        elif implied is None and not found:
            implied = _implied_kind(code.co_filename)
        frame = frame.f_back
    # on a GPU autograd has threads of its own, where no engine frame is on the stack
    from_autograd = in_backward and (not found if below_engine is None else below_engine)
    return Origin(tuple(found), in_backward, from_autograd, implied)


def refine(kind: str, direction: Direction, implied: str | None) -> str:
    """The kind after looking at the torch function around it: a read inside `print` is a `print`."""
    if implied is None:
        return kind
    belongs = direction == "d2h" or _index.page(implied).direction == direction
    return implied if belongs else kind


def is_dense(tensor: torch.Tensor) -> bool:
    """True when the elements fill one block of memory, in whatever order of dimensions."""
    strides = tensor.stride()
    order = sorted(range(tensor.dim()), key=lambda d: -strides[d])
    return tensor.permute(order).is_contiguous()


def without_overload(op: str) -> str:
    """`aten::index.Tensor` -> `aten::index`."""
    return op.rsplit(".", 1)[0] if op.startswith("aten::") else op


@cache
def _implied_kind(file: str) -> str | None:
    if not file.startswith(_TORCH):
        return None
    name = file[len(_TORCH) :].replace(os.sep, "/")
    inside = _index.inside()
    folder = name.split("/", 1)[0] + "/"
    return inside.get(name) or inside.get(folder)


@cache
def is_machinery(file: str) -> bool:
    """True for files whose frames never are the site: torch, perfkit, the standard library."""
    if file.startswith(_OUR_PROGRAMS):
        return False
    if file.startswith((_TORCH, _HERE, "<frozen", "<string>")):
        return True
    return file.startswith(_STDLIB) and not is_installed(file)


def is_installed(file: str) -> bool:
    """True for files of an installed library, as opposed to the user's own."""
    return any(part in file for part in _INSTALLED)


def resolve(place: Place) -> tuple[Frame, ...]:
    """Frames with absolute file and line, innermost first; how a notebook runs its cells left out."""
    own = takewhile(_is_programs, place)
    return tuple(_renamed(_frame(file, code, lasti)) for file, code, lasti in own)


def _is_programs(part: tuple[str, CodeType, int]) -> bool:
    """False where IPython runs a cell: what lies below is how the notebook was started."""
    return not (part[1].co_name == _CELL[1] and part[0].endswith(_CELL[0]))


def _renamed(frame: Frame) -> Frame:
    return replace(frame, file=called[frame.file]) if frame.file in called else frame


@cache
def _frame(file: str, code: CodeType, lasti: int) -> Frame:
    if not file.startswith("<"):
        file = os.path.abspath(file)
    return Frame(file, _line(code, lasti), code.co_name)


def _line(code: CodeType, lasti: int) -> int:
    for start, end, number in code.co_lines():
        if start <= lasti < end and number is not None:
            return number
    return code.co_firstlineno
