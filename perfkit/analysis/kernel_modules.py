"""Device time by the module (`nn.Module`) that launched it, as the tree in which modules called each other.

A piece of device work belongs to the innermost module frame around its launch on the launching
thread, by time: correlation joins the work with its call, and where no call was recorded the
operator with the same external id stands in. `own` is what a module launched itself, `total` adds
the modules that it called. A module is known by its class and number, as Kineto names it
(`nn.Module: Linear_17`), under the modules around it. What lies in no module is kept apart: the
backward pass runs on autograd's own thread, outside of every module frame, and its operators
(`autograd::engine::evaluate_function`) say so; the rest is the loss, the optimizer, the loop.

As for `kernels`, only work of the steps counts, and overlap between streams counts twice.

Source: Kineto's `python_function` events, written with `with_stack=True`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from perfkit.analysis.device_work import DeviceWork
from perfkit.analysis.kernels import in_steps
from perfkit.analysis.trace_steps import TraceSteps
from perfkit.base.errors import NotObservable
from perfkit.io._nesting import parents_among
from perfkit.io.trace_frames import PYTHON
from perfkit.model.events import ANNOTATIONS, HOST_OPS, UNKNOWN, Events, Ints, Mask
from perfkit.model.table import Column, Table

_MODULE = "nn.Module: "
_BACKWARD = "autograd::engine::evaluate_function"
_DEEPEST = 64
_ROWS = 1_000
COLUMNS = (
    Column("kind"),
    Column("module"),
    Column("depth"),
    Column("parent"),
    Column("calls", "per step"),
    Column("kernels", "per step"),
    Column("own_ns", "ns"),
    Column("total_ns", "ns"),
    Column("share", "ratio"),
)


@dataclass(frozen=True)
class Sum:
    """Pieces of device work and their time, over all steps."""

    kernels: int
    time_ns: int


@dataclass(frozen=True)
class ModuleStat:
    """One module at one place of the tree, over all steps.

    Attributes:
        name: class and number, `Linear_17`.
        parent: index of the module around it, which stands before it; None of an outermost one.
        calls: how often it was entered.
        own: what it launched itself; total_ns: with the modules that it called.
    """

    name: str
    depth: int
    parent: int | None
    calls: int
    own: Sum
    total_ns: int


@dataclass(frozen=True)
class KernelModules:
    """The modules that launched work, each before those it called, the longest first.

    `backward` and `outside` are in no module, of `unknown` nobody recorded the launch; `steps` is over
    how many everything is spread.
    """

    modules: tuple[ModuleStat, ...]
    backward: Sum
    outside: Sum
    unknown: Sum
    steps: int
    time_ns: int

    def self_check(self) -> None:
        """Raise AssertionError unless all parts sum to the whole, in total and in every module."""
        own = sum(module.own.time_ns for module in self.modules)
        others = (self.backward, self.outside, self.unknown)
        assert own + sum(other.time_ns for other in others) == self.time_ns
        inner: dict[int | None, int] = defaultdict(int)
        for index, module in enumerate(self.modules):
            assert module.parent is None or module.parent < index
            inner[module.parent] += module.total_ns
        for index, module in enumerate(self.modules):
            assert module.total_ns == module.own.time_ns + inner[index]
        assert inner[None] == own


def kernel_modules(
    events: Events, steps: TraceSteps, work: DeviceWork, owner: Ints
) -> KernelModules:
    """The device work of the steps by module.

    Args:
        owner: for each piece of work the row of its operator (`io.trace_ops.device_owners`).

    Raises:
        NotObservable: there is no device work, or no module is named around any of its launches.
    """
    if not len(work):
        raise NotObservable("the trace holds no work of a device")
    named = events.named(name for name in events.names if name.startswith(_MODULE))
    modules = named & events.of((*PYTHON, *ANNOTATIONS, *HOST_OPS))
    if not modules.any():
        raise NotObservable("the trace names no modules: with_stack=True records them")
    inside = in_steps(events, steps, work)
    anchor = np.where(work.launch != UNKNOWN, work.launch, owner)[inside]
    time = (work.end - work.start)[inside]
    tree = _tree(events, modules)
    node = tree.of_row[_around(events, modules, anchor)]
    if not (node != UNKNOWN).any():
        raise NotObservable("no launch of the steps lies inside a module that the trace names")
    engine = events.named(name for name in events.names if name.startswith(_BACKWARD))
    nowhere, unknown = node == UNKNOWN, anchor == UNKNOWN
    backward = nowhere & (_around(events, engine, anchor) != UNKNOWN)
    return KernelModules(
        modules=_stats(events, steps, tree, node, time),
        backward=_sum(time[backward]),
        outside=_sum(time[nowhere & ~backward & ~unknown]),
        unknown=_sum(time[unknown]),
        steps=max(1, len(steps.windows)),
        time_ns=int(time.sum()),
    )


def _around(events: Events, among: Mask, anchor: Ints) -> Ints:
    """For each host row the innermost of `among` around it, UNKNOWN where there is none."""
    anchors = np.zeros(len(events), np.bool_)
    anchors[anchor[anchor != UNKNOWN]] = True
    parent = np.r_[parents_among(events, among | anchors), UNKNOWN]
    found: Ints = parent[anchor]
    while (between := (found != UNKNOWN) & ~among[found]).any():  # a launch inside a launch
        found = np.where(between, parent[found], found)
    return found


@dataclass(frozen=True)
class _Tree:
    """Modules by path: code of the name, depth and parent of each node, parents first.

    `of_row` maps event rows to nodes; its last entry is UNKNOWN, for rows that are.
    """

    name: Ints
    depth: Ints
    parent: Ints
    of_row: Ints


def _tree(events: Events, modules: Mask) -> _Tree:
    """Level by level; what lies deeper than `_DEEPEST` counts for the module around it there."""
    rows = np.flatnonzero(modules)
    around = parents_among(events, modules)[rows]
    outer = np.where(around != UNKNOWN, np.searchsorted(rows, around), UNKNOWN)
    node = np.full(len(rows), UNKNOWN, np.int64)
    names, depths, parents, count = [], [], [], 0
    level = np.flatnonzero(outer == UNKNOWN)
    for depth in range(_DEEPEST):
        if not len(level):
            break
        above = np.where(outer[level] != UNKNOWN, node[outer[level]], UNKNOWN)
        key = (above + 1) * len(events.names) + events.name[rows[level]]
        keys, index = np.unique(key, return_inverse=True)
        node[level] = count + index.ravel()
        parent, name = np.divmod(keys, len(events.names))
        names.append(name)
        parents.append(parent - 1)
        depths.append(np.full(len(keys), depth, np.int64))
        count += len(keys)
        at_level = np.zeros(len(rows) + 1, np.bool_)
        at_level[level] = True
        level = np.flatnonzero(at_level[outer])
    while (deep := (node == UNKNOWN) & (outer != UNKNOWN)).any():
        node = np.where(deep, node[outer], node)
        outer = np.where(deep, outer[outer], outer)
    of_row = np.full(len(events) + 1, UNKNOWN, np.int64)
    of_row[rows] = node
    return _Tree(np.concatenate(names), np.concatenate(depths), np.concatenate(parents), of_row)


def _stats(
    events: Events, steps: TraceSteps, tree: _Tree, node: Ints, time: Ints
) -> tuple[ModuleStat, ...]:
    size = len(tree.name)
    known = node != UNKNOWN
    own = np.zeros(size, np.int64)
    np.add.at(own, node[known], time[known])
    kernels = np.bincount(node[known], minlength=size)
    total = own.copy()
    for depth in range(int(tree.depth.max()), 0, -1):
        level = tree.depth == depth
        np.add.at(total, tree.parent[level], total[level])
    entered = (tree.of_row[:-1] != UNKNOWN) & (steps.index_of(events.start) != UNKNOWN)
    calls = np.bincount(tree.of_row[:-1][entered], minlength=size)
    place: dict[int, int] = {}
    stats: list[ModuleStat] = []
    for index in _depth_first(tree, total):
        place[index] = len(stats)
        stats.append(
            ModuleStat(
                name=events.names[int(tree.name[index])][len(_MODULE) :] or "(unnamed)",
                depth=int(tree.depth[index]),
                parent=place.get(int(tree.parent[index])),
                calls=int(calls[index]),
                own=Sum(int(kernels[index]), int(own[index])),
                total_ns=int(total[index]),
            )
        )
    return tuple(stats)


def _depth_first(tree: _Tree, total: Ints) -> list[int]:
    """The nodes with device work, each before its children, siblings by their time."""
    children: dict[int, list[int]] = defaultdict(list)
    for index in np.argsort(total, kind="stable").tolist():  # the longest is taken from the end
        if total[index]:
            children[int(tree.parent[index])].append(index)
    order, waiting = [], list(children[UNKNOWN])
    while waiting:
        order.append(waiting.pop())
        waiting += children[order[-1]]
    return order


def _sum(time: Ints) -> Sum:
    return Sum(len(time), int(time.sum()))


def kernel_modules_table(found: KernelModules) -> Table:
    """The tree by depth first, then what is in no module; times and counts are per step.

    `parent` is the row of the module around it. Of very many modules the smallest are one row of
    kind `more`, so that `own_ns` always sums to the whole.
    """
    ranked = sorted(
        range(len(found.modules)),
        key=lambda i: (-found.modules[i].total_ns, found.modules[i].depth),
    )
    kept = sorted(ranked[:_ROWS])
    row_of = {index: row for row, index in enumerate(kept)}
    rows = [
        _row(
            found,
            (
                "module",
                module.name,
                module.depth,
                row_of.get(parent) if parent is not None else None,
            ),
            module.calls,
            module.own,
            module.total_ns,
        )
        for module in (found.modules[index] for index in kept)
        for parent in [module.parent]
    ]
    rest = [found.modules[index].own for index in ranked[_ROWS:]]
    more = Sum(sum(each.kernels for each in rest), sum(each.time_ns for each in rest))
    others = (found.backward, found.outside, found.unknown)
    for kind, part in zip(("more", "backward", "outside", "unknown"), (more, *others), strict=True):
        if part.kernels:
            rows.append(_row(found, (kind, None, 0, None), None, part, part.time_ns))
    return Table(COLUMNS, tuple(rows))


def _row(
    found: KernelModules,
    head: tuple[str, str | None, int, int | None],
    calls: int | None,
    own: Sum,
    total_ns: int,
) -> tuple[str | int | float | None, ...]:
    return (
        *head,
        None if calls is None else calls / found.steps,
        own.kernels / found.steps,
        round(own.time_ns / found.steps),
        round(total_ns / found.steps),
        total_ns / found.time_ns if found.time_ns else None,
    )
