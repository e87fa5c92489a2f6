"""What was alive at a device's peak, from the allocator's events in a trace: who allocated it, for what.

An allocation lives until the next free of the same address. What is alive at the peak is told by the
innermost operator around its allocation (those left out that only allocate), the innermost module,
and the innermost frame of the program's own code. What it is follows from its life:

* allocated before the backward and freed in it: saved for backward;
* allocated in the backward and not freed in it: a gradient;
* allocated in an optimizer's step and not freed in it: its state;
* what the allocator holds beside all of these: there before the recording (parameters among them);
* everything else: temporaries.

Source: Kineto's `[memory]` events (`profile_memory=True`); the backward is
`autograd::engine::evaluate_function`, the optimizer's step its `Optimizer.step#` annotation.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

import numpy as np

from perfkit.analysis._enclosing import innermost
from perfkit.analysis.device_memory import ALLOCATING, DeviceMemory, device_memory
from perfkit.base.errors import NotObservable
from perfkit.io.trace_frames import PYTHON, Around
from perfkit.model.events import ANNOTATIONS, HOST_OPS, UNKNOWN, Events, Ints, Mask, MemoryChanges
from perfkit.model.memory import Category, Held, StepMemory
from perfkit.model.syncs import Frame

_MODULE = "nn.Module: "
_BACKWARD = "autograd::engine::evaluate_function"
_OPTIMIZER = "Optimizer.step#"
_PLACES = 200
_CPU = 0


@lru_cache(maxsize=1)  # two rules and a table ask for it
def memory_holders(events: Events) -> StepMemory:
    """What was alive at the peak of the device that had the highest, of the host where there is none.

    Raises:
        NotObservable: no allocations were recorded, or not their addresses.
    """
    devices = device_memory(events)
    gpus = [each for each in devices if each.device is not None]
    return _holders(events, max(gpus or devices, key=lambda each: each.peak_bytes))


def _holders(events: Events, device: DeviceMemory) -> StepMemory:
    changes = events.memory
    index = np.where(changes.device_type == _CPU, UNKNOWN, np.maximum(changes.device, 0))
    mine = np.flatnonzero(index == (UNKNOWN if device.device is None else device.device))
    if bool((changes.address[mine] == UNKNOWN).any()):
        raise NotObservable("the trace's allocations have no addresses")
    freed = _freed(changes, mine)
    at = mine[device.peak]
    alive = mine[(mine <= at) & (changes.nbytes[mine] > 0) & (freed > at)]
    held = _told(events, alive, freed[np.searchsorted(mine, alive)])
    rest = device.peak_bytes - sum(each.nbytes for each in held)
    if rest > 0:
        held = (*held, Held("kept from before", rest, 0))
    backward = events.named(name for name in events.names if name.startswith(_BACKWARD))
    where = innermost(events, backward, changes.time[[at]], changes.thread[[at]])
    return StepMemory(
        peak_bytes=sum(each.nbytes for each in held),
        phase="backward" if where[0] != UNKNOWN else None,
        op=device.op or "",
        place=device.place,
        held=tuple(sorted(held, key=lambda each: -each.nbytes)),
        trained=bool(backward.any()),
    )


def _freed(changes: MemoryChanges, mine: Ints) -> Ints:
    """For each change of `mine` the index of the next one at its address; past the end where none is."""
    order = np.argsort(changes.address[mine], kind="stable")
    address = changes.address[mine][order]
    following = np.full(len(mine), len(changes), np.int64)
    same = address[1:] == address[:-1]
    following[:-1] = np.where(same, mine[order][1:], len(changes))
    freed = np.empty_like(following)
    freed[order] = following
    return freed


def _told(events: Events, alive: Ints, freed: Ints) -> tuple[Held, ...]:
    changes = events.memory
    time, thread = changes.time[alive], changes.thread[alive]
    ops = events.of(HOST_OPS)
    telling = innermost(events, ops & ~events.named(ALLOCATING), time, thread)
    modules = events.named(name for name in events.names if name.startswith(_MODULE))
    module = innermost(events, modules & events.of((*PYTHON, *ANNOTATIONS)), time, thread)
    category = _categories(events, alive, freed)
    places = _places(events, alive, telling)
    groups: defaultdict[tuple[Category, str | None, Frame | None], list[int]] = defaultdict(list)
    for i, kind in enumerate(category):
        inside = events.name_of(int(module[i])) if module[i] != UNKNOWN else None
        name = inside.removeprefix(_MODULE) if inside else None
        groups[kind, name, places.get(i)].append(i)
    found = []
    for (kind, name, place), members in groups.items():
        sizes = changes.nbytes[alive[members]]
        first = int(telling[members[int(np.argmax(sizes))]])
        op = events.name_of(first) if first != UNKNOWN else ""
        found.append(Held(kind, int(sizes.sum()), len(members), op, name, place))
    return tuple(found)


def _categories(events: Events, alive: Ints, freed: Ints) -> list[Category]:
    changes = events.memory
    known = freed < len(changes)
    end = alive.copy()
    end[known] = freed[known]
    inside: list[tuple[Mask, Mask]] = []
    for prefix in (_BACKWARD, _OPTIMIZER):
        mask = events.named(name for name in events.names if name.startswith(prefix))
        made, gone = (
            innermost(events, mask, changes.time[at], changes.thread[at]) != UNKNOWN
            for at in (alive, end)
        )
        inside.append((made, gone & known))
    (in_backward, freed_in_backward), (in_step, freed_in_step) = inside
    kinds: tuple[Category, ...] = (
        "saved for backward",
        "gradients",
        "optimizer state",
        "temporaries",
    )
    tests = [freed_in_backward & ~in_backward, in_backward & ~freed_in_backward]
    number = np.select([*tests, in_step & ~freed_in_step], [0, 1, 2], 3)
    return [kinds[i] for i in number.tolist()]


def _places(events: Events, alive: Ints, op: Ints) -> dict[int, Frame]:
    """The lines of the largest; each costs a search."""
    around = Around(events)
    largest = np.argsort(-events.memory.nbytes[alive])[:_PLACES].tolist()
    lines = ((i, around.frames(int(op[i]))) for i in largest if op[i] != UNKNOWN)
    return {i: frames[0] for i, frames in lines if frames}
