"""The module (`nn.Module`) around an operator of a trace, as the path of classes that lead to it.

Kineto numbers the instances of a class (`nn.Module: Linear_17`). Here the numbers are left out, so that
equal layers are one place: `Encoder.EncoderLayer.Attention.Linear`. The backward pass runs outside of
modules.

Source: Kineto's `python_function` events, written with `with_stack=True`.
"""

from __future__ import annotations

import re

import numpy as np

from perfkit.io._nesting import parents_among
from perfkit.io.trace_frames import PYTHON
from perfkit.model.events import ANNOTATIONS, HOST_OPS, UNKNOWN, Events, Ints

_MODULE = "nn.Module: "
_NUMBER = re.compile(r"_\d+$")
_DEEPEST = 64


def module_paths(events: Events, rows: Ints) -> tuple[tuple[str, ...], Ints]:
    """Paths, and for each of these host rows an index into them; UNKNOWN where it is in no module."""
    named = events.named(name for name in events.names if name.startswith(_MODULE))
    modules = named & events.of((*PYTHON, *ANNOTATIONS, *HOST_OPS))
    if not modules.any() or not len(rows):
        return (), np.full(len(rows), UNKNOWN, np.int64)
    among = modules.copy()
    among[rows] = True
    parent = np.r_[parents_among(events, among), UNKNOWN]
    around = np.r_[np.where(modules, parents_among(events, modules), UNKNOWN), UNKNOWN]
    found = parent[rows]
    while (between := (found != UNKNOWN) & ~np.r_[modules, False][found]).any():
        found = np.where(between, parent[found], found)
    frames, index = np.unique(found, return_inverse=True)
    path_of = _Paths(events, around)
    paths: dict[str, int] = {}
    code = [
        UNKNOWN if frame == UNKNOWN else paths.setdefault(path_of[frame][0], len(paths))
        for frame in frames.tolist()
    ]
    return tuple(paths), np.array(code, np.int64)[index.ravel()]


class _Paths(dict[int, tuple[str, int]]):
    """Path and depth by row of a module; what lies deeper than `_DEEPEST` counts for what is there."""

    def __init__(self, events: Events, around: Ints) -> None:
        self._classes = [
            _NUMBER.sub("", name[len(_MODULE) :]) or "(unnamed)" for name in events.names
        ]
        self._name, self._around = events.name, around

    def __missing__(self, frame: int) -> tuple[str, int]:
        inner = [frame]
        while (outer := int(self._around[inner[-1]])) != UNKNOWN and outer not in self:
            inner.append(outer)
        path, depth = self[outer] if outer != UNKNOWN else ("", 0)
        for each in reversed(inner):
            if depth < _DEEPEST:
                own = self._classes[int(self._name[each])]
                path, depth = f"{path}.{own}" if path else own, depth + 1
            self[each] = path, depth
        return path, depth
