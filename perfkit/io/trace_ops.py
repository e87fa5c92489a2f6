"""Operators and kernels of a trace: host time with and without children, device time by launch."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from perfkit.io._nesting import parents_among
from perfkit.model.events import DEVICE_WORK, HOST_OPS, RUNTIME, UNKNOWN, Events, Ints, Mask
from perfkit.model.run import OpStat


def trace_ops(events: Events, counted: Mask | None = None) -> tuple[OpStat, ...]:
    """One row per operator name and per kernel or copy name, the most self time first.

    For operators `total_ns` counts a call inside a call of the same name once, `device_ns` is the
    device time of what the operator itself launched (not what operators inside it launched), so
    that it sums to the device time that has a known launcher; None where the trace has no device
    work. For device rows `self_ns` equals `total_ns`.

    Args:
        counted: the rows to look at; all if not given.
    """
    if counted is None:
        counted = np.ones(len(events), np.bool_)
    return (*_host(events, counted), *_device(events, counted))


def device_owners(events: Events) -> tuple[Ints, Ints]:
    """Rows of device work, and for each the row of the operator that launched it, else UNKNOWN.

    The launch is found by correlation, its operator by containment on the launching thread; where
    no launch was recorded, the operator with the same external id stands in.
    """
    work = np.flatnonzero(events.of(DEVICE_WORK))
    runtime = events.of(RUNTIME)
    host = events.of(HOST_OPS)
    parent = _callers(events)
    launches = np.flatnonzero(runtime)
    launch = lookup(events.correlation[launches], launches, events.correlation[work])
    owner = np.where(launch >= 0, parent[launch], UNKNOWN)
    for _ in range(4):  # a driver call may lie inside a runtime call, not itself an operator
        inside = (owner >= 0) & runtime[owner]
        owner = np.where(inside, parent[owner], owner)
    ops = np.flatnonzero(host)
    by_external = lookup(events.external[ops], ops, events.external[work])
    return work, np.where(owner >= 0, owner, by_external)


def op_parents(events: Events) -> Ints:
    """For each operator the innermost operator around it on its thread; UNKNOWN for all other rows."""
    ops = events.of(HOST_OPS)
    rows = np.flatnonzero(ops)
    callers = _callers(events)
    found = np.full(len(events), UNKNOWN, np.int64)
    found[rows] = _upwards(callers[rows], callers, ops)
    return found


@lru_cache(maxsize=1)
def _callers(events: Events) -> Ints:
    """For each operator and runtime call the innermost one around it; remembered, as two ask."""
    parent = parents_among(events, events.of((*HOST_OPS, *RUNTIME)))
    parent.flags.writeable = False
    return parent


def _upwards(rows: Ints, parent: Ints, wanted: Mask) -> Ints:
    """Each row, or the nearest one above it that is wanted, in place; UNKNOWN where none is."""
    while len(others := np.flatnonzero((rows >= 0) & ~wanted[rows])):
        rows[others] = parent[rows[others]]
    return rows


def lookup(keys: Ints, rows: Ints, wanted: Ints) -> Ints:
    """For each wanted key the first row that bears it, else UNKNOWN; ids below 1 match nothing."""
    known = keys > 0  # Kineto writes 0 where it has no id
    keys, rows = keys[known], rows[known]
    if not len(keys):
        return np.full(len(wanted), UNKNOWN, np.int64)
    order = np.argsort(keys, kind="stable")
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    found = order[at]
    return np.where(keys[found] == wanted, rows[found], UNKNOWN)


def _host(events: Events, counted: Mask) -> list[OpStat]:
    ops = events.of(HOST_OPS) & counted
    rows = np.flatnonzero(ops)
    if not len(rows):
        return []
    callers = _callers(events)
    parent = _upwards(callers[rows], callers, ops)
    name, dur = events.name[rows], events.dur[rows]
    inner = parent >= 0
    own = _sums(parent[inner], -dur[inner], len(events))[rows] + dur
    outermost = (parent < 0) | (events.name[parent] != name)
    size = len(events.names)
    calls = np.bincount(name, minlength=size)
    total = _sums(name[outermost], dur[outermost], size)
    self_ns = _sums(name, np.maximum(own, 0), size)
    device = _device_by_op(events, counted, size)
    stats = [
        OpStat(
            name=events.names[code],
            place="host",
            calls=int(calls[code]),
            total_ns=int(total[code]),
            self_ns=int(self_ns[code]),
            device_ns=None if device is None else int(device[code]),
        )
        for code in np.flatnonzero(calls)
    ]
    return sorted(stats, key=lambda stat: (-stat.self_ns, stat.name))


def _device_by_op(events: Events, counted: Mask, size: int) -> Ints | None:
    work, owner = device_owners(events)
    if not counted[work].any():
        return None
    owner = _upwards(owner, _callers(events), events.of(HOST_OPS) & counted)
    owned = (owner >= 0) & counted[work]
    return _sums(events.name[owner[owned]], events.dur[work[owned]], size)


def _device(events: Events, counted: Mask) -> list[OpStat]:
    rows = np.flatnonzero(events.of(DEVICE_WORK) & counted)
    size = len(events.names)
    calls = np.bincount(events.name[rows], minlength=size)
    total = _sums(events.name[rows], events.dur[rows], size)
    stats = [
        OpStat(events.names[code], "device", int(calls[code]), time := int(total[code]), time, time)
        for code in np.flatnonzero(calls)
    ]
    return sorted(stats, key=lambda stat: (-stat.total_ns, stat.name))


def _sums(codes: Ints, values: Ints, size: int) -> Ints:
    """Sum of values per code, in integers."""
    sums = np.zeros(size, np.int64)
    np.add.at(sums, codes, values)
    return sums
