"""Bookkeeping of `perfkit.instrument` regions: calls, time and operators per step."""

from __future__ import annotations

from dataclasses import dataclass

from perfkit.model.run import Region


@dataclass
class _Open:
    name: str
    since_ns: int
    ops: int | None
    nested: bool  # inside a region of the same name: its time is counted there already


class RegionClock:
    """Adds up regions; a region that spans several steps gives each its share.

    Args of the methods: `now` in ns; `ops` the count of operators so far, None while not counted.
    """

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._sums: dict[tuple[str, int | None], list[int | None]] = {}

    @property
    def innermost(self) -> str | None:
        """Name of the innermost open region."""
        return self._open[-1].name if self._open else None

    def enter(self, name: str, step: int | None, now: int, ops: int | None) -> None:
        nested = any(item.name == name for item in self._open)
        self._open.append(_Open(name, now, ops, nested))
        self._add(name, step, 1, 0, None)

    def leave(self, name: str, step: int | None, now: int, ops: int | None) -> None:
        """Close the innermost region of that name; unknown names are ignored."""
        for index in reversed(range(len(self._open))):
            if self._open[index].name == name:
                self._share(self._open.pop(index), step, now, ops)
                return

    def step_ended(self, step: int | None, now: int, ops: int | None) -> None:
        """Charge what the open regions took of this step to it."""
        for item in self._open:
            self._share(item, step, now, ops)

    def step_began(self, now: int, ops: int | None) -> None:
        """Our own work between steps belongs to no region."""
        for item in self._open:
            item.since_ns, item.ops = now, ops

    def sums(self, steps: set[int]) -> tuple[Region, ...]:
        """Regions of the given steps."""
        return tuple(
            Region(name, step, calls or 0, total or 0, ops)
            for (name, step), (calls, total, ops) in self._sums.items()
            if step in steps
        )

    def _share(self, item: _Open, step: int | None, now: int, ops: int | None) -> None:
        if item.nested:
            return
        counted = None if ops is None or item.ops is None else ops - item.ops
        self._add(item.name, step, 0, now - item.since_ns, counted)

    def _add(self, name: str, step: int | None, calls: int, ns: int, ops: int | None) -> None:
        sums = self._sums.setdefault((name, step), [0, 0, None])
        sums[0] = (sums[0] or 0) + calls
        sums[1] = (sums[1] or 0) + ns
        if ops is not None:
            sums[2] = (sums[2] or 0) + ops
