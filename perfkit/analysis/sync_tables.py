"""Sync points as the tables of `diagnosis.json`; the columns' order is part of the interface."""

from __future__ import annotations

from collections.abc import Iterable

from perfkit.analysis.source import source_at
from perfkit.analysis.sync_costs import cost
from perfkit.analysis.sync_points import SyncPoint, stack_text
from perfkit.model.syncs import Frame
from perfkit.model.table import Cell, Column, Table

COLUMNS = (
    Column("file"),
    Column("line"),
    Column("function"),
    Column("code"),
    Column("op"),
    Column("kind"),
    Column("direction"),
    Column("phase"),
    Column("per_step", "per step"),
    Column("certain"),
    Column("caller"),
    Column("blocked_ns", "ns"),
    Column("idle_ns", "ns"),
    Column("nbytes", "bytes"),
    Column("fix"),
    Column("seen_by"),
    Column("stack"),
    Column("region"),
    Column("wasted_low_ns", "ns"),
    Column("wasted_likely_ns", "ns"),
    Column("wasted_high_ns", "ns"),
)
SET_UP_COLUMNS = (
    Column("file"),
    Column("line"),
    Column("function"),
    Column("code"),
    Column("op"),
    Column("kind"),
    Column("direction"),
    Column("count"),
    Column("nbytes", "bytes"),
)
SOURCE_COLUMNS = (
    Column("file"),
    Column("line"),
    Column("function"),
    Column("number"),
    Column("text"),
    Column("marked"),
)
_SOURCES = 60
_SET_UP_ROWS = 200


def sync_points_table(points: Iterable[SyncPoint]) -> Table:
    """The contract's `sync_points`: what wastes most first."""
    ranked = sorted(points, key=lambda p: -cost(p).likely_ns)
    return Table(COLUMNS, tuple(_row(point) for point in ranked))


def set_up_table(points: Iterable[SyncPoint]) -> Table:
    """Syncs outside steady steps, whole counts."""
    rows = []
    for point in tuple(points)[:_SET_UP_ROWS]:
        file, line, function, code = _place(point.site)
        count = round(point.per_step)
        head = (file, line, function, code, point.op, point.kind, point.direction)
        rows.append((*head, count, point.nbytes))
    return Table(SET_UP_COLUMNS, tuple(rows))


def source_table(places: Iterable[Frame | None]) -> Table:
    """The lines around each place, once per place, as `(file, line)` of the place + each line."""
    rows: list[tuple[Cell, ...]] = []
    seen: dict[tuple[str, int], None] = {}
    for place in places:
        if place and (place.file, place.line) not in seen and len(seen) < _SOURCES:
            seen[place.file, place.line] = None
            source = source_at(place)
            for line in source.lines if source else ():
                head = (place.file, place.line, source.function if source else "")
                rows.append((*head, line.number, line.text, line.marked))
    return Table(SOURCE_COLUMNS, tuple(rows))


def _row(point: SyncPoint) -> tuple[Cell, ...]:
    wasted = cost(point)
    return (
        *_place(point.site),
        point.op,
        point.kind,
        point.direction,
        point.phase,
        point.per_step,
        point.certain,
        str(point.caller) if point.caller else None,
        point.blocked_ns,
        point.idle_ns,
        point.nbytes,
        point.fix,
        ", ".join(point.seen_by),
        stack_text(point.stack),
        point.region,
        wasted.low_ns,
        wasted.likely_ns,
        wasted.high_ns,
    )


def _place(site: Frame | None) -> tuple[str | None, int | None, str | None, str | None]:
    if site is None:
        return None, None, None, None
    source = source_at(site)
    return site.file, site.line, site.function, source.code if source else None
