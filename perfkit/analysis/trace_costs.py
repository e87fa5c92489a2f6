"""FLOPs and bytes of the operators of a trace with shapes, beside the time of what they launched.

Operators contain each other, and each piece of work counts once: the outermost operator with a cost
owns everything beneath it. One that is made of others (`aten::linear`) makes room for them where one
of them has a cost, so that the names are those that a dispatcher sees. Views and allocations own
nothing.

What has no cost stands in rows of its own with the reason: operators without a model that launched
device work (in a trace without a device: that contain no other operator), graphs, whose kernels name
no operators, and device work whose launch was not recorded. So the rows hold all device work of the
steps, each piece once.

Source: Kineto's "Input Dims" and its neighbours, written with `record_shapes=True`; `perfkit.costs`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from perfkit.analysis._costed_calls import Calls, Counted, counted_among, topmost
from perfkit.analysis.device_work import DeviceWork
from perfkit.analysis.kernels import NO_LAUNCH, in_steps
from perfkit.analysis.trace_modules import module_paths
from perfkit.analysis.trace_steps import TraceSteps
from perfkit.base.errors import NotObservable
from perfkit.costs import _index
from perfkit.costs._call import Call, Cost
from perfkit.costs._signature import signature
from perfkit.io._nesting import parents_among
from perfkit.model.costs import OpCost
from perfkit.model.events import HOST_OPS, UNKNOWN, Events, Ints, Mask
from perfkit.model.syncs import Phase

NO_SHAPES = "the trace was recorded without record_shapes=True"
IN_GRAPH = "replayed by one launch of a graph: its kernels name no operators"
LONELY = "the trace holds no operator that launched it"
OUTSIDE = "the operator that launched it was called outside of the steps"
BETWEEN_DEVICES = "it moves data between devices: the link sets its floor, not the memory"
_BACKWARD = "autograd::engine::evaluate_function"
_SUMMED = ("calls", "flops", "read", "written", "host_ns", "device_ns", "kernels")
OTHER_SHAPES = "other shapes"
MOST = 3_000
"""Rows with shapes of their own; programs whose shapes always change would have one per call."""
_NAME = 80


def trace_costs(
    events: Events, steps: TraceSteps, work: DeviceWork, owner: Ints
) -> tuple[OpCost, ...]:
    """The costs of all steps together, the longest on the device first.

    Behind the first `MOST` rows an operator's further shapes are one row.

    Args:
        owner: for each piece of work the row of its operator (`io.trace_ops.device_owners`).

    Raises:
        NotObservable: no operator of the steps has recorded shapes.
    """
    if not len(events.shapes):
        raise NotObservable(NO_SHAPES)
    inside = events.of(HOST_OPS) & (steps.index_of(events.start) != UNKNOWN)
    if not inside[events.shapes.rows].any():
        raise NotObservable("no operator of the steps has recorded shapes")
    direct = (owner != UNKNOWN) & ~work.in_graph & inside[owner]
    calls = Calls(events, inside, owner[direct], work.rows[direct])
    launches = np.zeros(len(events), np.bool_)
    launches[owner[direct]] = True
    counted = counted_among(calls, launches, bool(len(work)))
    rows = [*_by_operator(calls, counted, work, owner, direct)]
    rows += _others(events, work, in_steps(events, steps, work) & ~direct, owner)
    rows.sort(key=lambda row: (-(row.device_ns or 0), -(row.host_ns or 0)))
    return (*rows[:MOST], *_together(rows[MOST:]))


def _by_operator(
    calls: Calls, counted: Counted, work: DeviceWork, owner: Ints, direct: Mask
) -> Iterator[OpCost]:
    """One row per distinct call, phase and module."""
    events = calls.events
    index = np.flatnonzero(counted.is_known | counted.is_unknown)
    if not len(index):
        return
    rows = calls.rows[index]
    backward = topmost(calls.parent, _engine(calls))[index] != UNKNOWN
    modules, module = module_paths(events, rows)
    spread = calls.kind[index] * (len(modules) + 1) + module + 1
    keys, group = np.unique(
        spread * 4 + 2 * backward + counted.is_known[index], return_inverse=True
    )
    group, size = group.ravel(), len(keys)
    host = _sums(group, _own_time(events, rows), size)
    of_owner = np.full(len(calls.rows), UNKNOWN, np.int64)
    of_owner[index] = group
    place = np.searchsorted(calls.rows, owner[direct])
    responsible = np.where(counted.top[place] != UNKNOWN, counted.top[place], place)
    device = _sums(of_owner[responsible], (work.end - work.start)[direct], size)
    kernels = np.bincount(of_owner[responsible], minlength=size)
    between = np.ones(size, np.bool_)
    between[of_owner[responsible][~work.is_comm[direct]]] = False
    number = np.bincount(group, minlength=size)
    for i in range(size):
        spread_of, flags = divmod(int(keys[i]), 4)
        kind, path = divmod(spread_of, len(modules) + 1)
        is_backward, known = divmod(flags, 2)
        call, cost = calls.distinct[kind]
        row = _row(call, cost if known else _why(call, cost), int(number[i]))
        if not known and kernels[i] and between[i]:
            row = replace(row, unknown=BETWEEN_DEVICES)
        yield replace(
            row,
            host_ns=int(host[i]),
            device_ns=int(device[i]) if len(work) else None,
            kernels=int(kernels[i]) if len(work) else None,
            phase=_phase(bool(is_backward), path > 0),
            module=modules[path - 1] if path else None,
        )


def _why(call: Call, cost: Cost | _index.NotKnown) -> _index.NotKnown:
    if isinstance(cost, _index.NotKnown):
        return cost
    return _index.NotKnown(f"{call.name} moves nothing itself, yet launched device work")


def _row(call: Call, cost: Cost | _index.NotKnown, calls: int) -> OpCost:
    shapes = signature(call)
    if isinstance(cost, _index.NotKnown):
        return OpCost(call.name, shapes, calls, unknown=cost.reason)
    amounts = (calls * cost.flops, calls * cost.read, calls * cost.written)
    return OpCost(call.name, shapes, calls, *amounts, unit=cost.unit, dtype=cost.dtype)


def _phase(backward: bool, in_module: bool) -> Phase | None:
    """Autograd's engine marks the backward pass; modules run outside of it in the forward pass."""
    return "backward" if backward else "forward" if in_module else None


def _engine(calls: Calls) -> Mask:
    return calls.of_kind([call.name.startswith(_BACKWARD) for call, _ in calls.distinct])


def _own_time(events: Events, rows: Ints) -> Ints:
    """Host time of each counted row without counted rows inside it."""
    among = np.zeros(len(events), np.bool_)
    among[rows] = True
    around = parents_among(events, among)[rows]
    own = np.zeros(len(events), np.int64)
    own[rows] = events.dur[rows]
    inner = around != UNKNOWN
    np.subtract.at(own, around[inner], events.dur[rows[inner]])
    return np.maximum(own[rows], 0)


def _others(events: Events, work: DeviceWork, left: Mask, owner: Ints) -> Iterator[OpCost]:
    """Device work that no operator of the steps launched by itself: graphs, and what is lonely."""
    time = work.end - work.start
    graphs = left & work.in_graph
    names = events.name[work.launch[graphs]]
    for code in np.unique(names).tolist():
        mine = np.flatnonzero(graphs)[names == code]
        launches = len(np.unique(work.launch[mine]))
        device, kernels = int(time[mine].sum()), len(mine)
        name = events.names[code]
        yield OpCost(name, "", launches, unknown=IN_GRAPH, device_ns=device, kernels=kernels)
    lonely = np.flatnonzero(left & ~work.in_graph)
    key = 2 * events.name[work.rows[lonely]] + (owner[lonely] != UNKNOWN)
    keys, group = np.unique(key, return_inverse=True)
    sums = _sums(group.ravel(), time[lonely], len(keys))
    number = np.bincount(group.ravel(), minlength=len(keys))
    for i, (code, has_owner) in enumerate(divmod(each, 2) for each in keys.tolist()):
        yield OpCost(
            op=NO_LAUNCH,
            signature=events.names[code][:_NAME],
            calls=int(number[i]),
            unknown=OUTSIDE if has_owner else LONELY,
            device_ns=int(sums[i]),
            kernels=int(number[i]),
        )


def _together(rows: Sequence[OpCost]) -> Iterator[OpCost]:
    """The same operators at the same place as one row, whatever their shapes."""
    members: dict[OpCost, list[OpCost]] = defaultdict(list)
    for row in rows:
        alike = OpCost(row.op, OTHER_SHAPES, 0, unit=row.unit, dtype=row.dtype)
        alike = replace(alike, unknown=row.unknown, phase=row.phase, module=row.module)
        members[alike].append(row)
    for alike, found in members.items():
        columns = {name: [getattr(row, name) for row in found] for name in _SUMMED}
        sums: dict[str, Any] = {
            name: None if None in values else sum(values) for name, values in columns.items()
        }
        yield replace(alike, **sums)


def _sums(group: Ints, values: Ints, size: int) -> Ints:
    found = np.zeros(size, np.int64)
    np.add.at(found, group, values)
    return found
