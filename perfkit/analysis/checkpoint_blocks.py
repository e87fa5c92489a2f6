"""Repeated blocks of a model by what they save for the backward, and what computing them again would cost.

A block is an element of a list of modules (`Decoder.layers.3`), its family all elements of that list
(`Decoder.layers`); of lists inside of lists the outermost counts. Freed by a checkpoint is what the
block saves and made itself: its input is kept either way, and its output by what follows. All blocks
of a family checkpointed still need one of them at a time. The extra time is the floor of the block's
forward.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from perfkit.analysis.run_floors import run_floors
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.memory import Held, StepMemory
from perfkit.model.run import Run
from perfkit.model.syncs import Frame

_BLOCK = re.compile(r"^(?P<family>.*?)\.(?P<number>\d+)(?=\.|$)")


@dataclass(frozen=True)
class Blocks:
    """One family of blocks.

    Attributes:
        saved: bytes that each block saves and made, by its path, largest first.
        place: the line that saves most in them.
        extra_ns: least time of one more forward of all of them, per step; None where not known.
        step_ns: what the step takes on the same device; None where not known.
        device: that device.
    """

    family: str
    saved: dict[str, int]
    place: Frame | None
    extra_ns: float | None = None
    step_ns: float | None = None
    device: str = ""

    @property
    def saved_bytes(self) -> int:
        return sum(self.saved.values())

    @property
    def freed_bytes(self) -> int:
        """With all of them checkpointed: one at a time is still there."""
        return self.saved_bytes - max(self.saved.values())


def checkpoint_blocks(run: Run, step: StepMemory) -> tuple[Blocks, ...]:
    """The families of at least two blocks, those that free most first."""
    families: defaultdict[str, list[tuple[str, Held]]] = defaultdict(list)
    for held in step.held:
        match = _BLOCK.match(held.module or "")
        if match is None or held.category != "saved for backward":
            continue
        if held.maker is None or _within(held.maker, match[0]):
            families[match["family"]].append((match[0], held))
    found = [_blocks(run, family, held) for family, held in families.items()]
    some = [each for each in found if len(each.saved) > 1]
    return tuple(sorted(some, key=lambda each: -each.freed_bytes))


def _blocks(run: Run, family: str, held: list[tuple[str, Held]]) -> Blocks:
    saved: defaultdict[str, int] = defaultdict(int)
    for block, each in held:
        saved[block] += each.nbytes
    ordered = dict(sorted(saved.items(), key=lambda pair: -pair[1]))
    place = max((each for _, each in held), key=lambda each: each.nbytes).place
    try:
        extra, step, device = _extra(run, ordered)
    except (NotApplicable, NotObservable):
        return Blocks(family, ordered, place)
    return Blocks(family, ordered, place, extra, step, device)


def _extra(run: Run, blocks: Iterable[str]) -> tuple[float | None, float, str]:
    floor = run_floors(run).first
    names = tuple(blocks)
    times = [
        row.ns
        for row in floor.rows
        if row.cost.phase == "forward"
        and any(_within(row.cost.module or "", name) for name in names)
    ]
    known = [ns for ns in times if ns is not None]
    extra = sum(known) / floor.steps if known else None
    return extra, floor.step_ns, floor.peaks.device


def _within(module: str, block: str) -> bool:
    return module == block or module.startswith(f"{block}.")
