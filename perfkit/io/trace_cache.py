"""Decoded traces kept as Parquet, so that a trace is decoded once.

A cache lies beside the trace where that is part of a run directory, else in the user's cache folder
(`$XDG_CACHE_HOME/perfkit/events`), never beside somebody else's file. It holds the hash of the trace
it was made from: another content, another schema or any damage means reading afresh. The hash is
taken again only when the file's size, times or inode have changed.

The rows are the intervals and, behind them, the allocator's changes; dictionaries, metadata and the
gaps of the first reading stand in the file's own metadata. URLs are not cached.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from perfkit.base.errors import PerfkitError
from perfkit.base.files import replacing
from perfkit.io._chunks import BUDGET
from perfkit.io._text import Progress, is_remote
from perfkit.io.chrome import read_trace
from perfkit.model.events import UNKNOWN, Collective, DeviceSync, Events, Ints, MemoryChanges
from perfkit.model.grids import Grids
from perfkit.model.run import Gap
from perfkit.model.shapes import Shapes

SCHEMA = "perfkit.events/4"
_KEY, _CHECK = b"perfkit", b"perfkit.check"  # what stands beside the columns, and its hash
_SUFFIX = ".events.parquet"
_KEPT = 4 << 30  # bytes of caches of foreign traces; the least recently written go first
_SETTLED_NS = 2_000_000_000  # a file changed so shortly before is hashed: its time may not show it

# Columns of Parquet that hold a field of `MemoryChanges` behind the intervals.
_MEMORY = {
    "start": "time",
    "order": "address",
    "tid": "thread",
    "nbytes": "nbytes",
    "correlation": "allocated",
    "external": "reserved",
    "pid": "device_type",
    "stack": "device",
}
_COLUMNS = (
    "start",
    "dur",
    "order",
    "name",
    "cat",
    "stack",
    "pid",
    "tid",
    "correlation",
    "external",
    "nbytes",
)
_SHAPE = "shape"
_GRIDS = ("blocks", "threads", "occupancy")
_CODED = ("name", "cat", "stack", "pid", "tid", _SHAPE, *_GRIDS)


class _About(msgspec.Struct, frozen=True):
    """What stands beside the columns."""

    schema: str
    digest: str
    stat: tuple[int, int, int, int]
    written_ns: int
    intervals: int
    names: tuple[str, ...]
    categories: tuple[str, ...]
    stacks: tuple[str, ...]
    labels: dict[int, str]
    metadata: dict[str, Any]
    gaps: tuple[Gap, ...]
    collectives: tuple[Collective, ...]
    syncs: tuple[DeviceSync, ...]
    shapes: tuple[str, ...]
    grids: bool


class _Unusable(Exception):
    """The cache cannot be used; the text says why."""


def cached_trace(
    source: Path | str, *, budget: int = BUDGET, progress: Progress | None = None
) -> Events:
    """As `read_trace`, from the cache where it holds this very content, else leaving one behind.

    A cache that is damaged, or that could not be written, is told in `Events.gaps`.

    Raises:
        PerfkitError: as `read_trace`.
    """
    if is_remote(source):
        return read_trace(source, budget=budget, progress=progress)
    path = Path(source)
    gaps: list[Gap] = []
    for target in cache_paths(path):
        try:
            found = _load(target, path)
            if found is not None:
                return found
        except _Unusable as error:
            gaps.append(Gap("the trace was read afresh", f"its cache {target} {error}"))
    before = _stat(path)
    events = read_trace(path, budget=budget, progress=progress)
    if before is not None and before == _stat(path):
        gaps += _store(events, path, before)
    return replace(events, gaps=(*events.gaps, *gaps)) if gaps else events


def cache_paths(path: Path) -> tuple[Path, ...]:
    """Where the cache of a local trace may lie, best first."""
    path = path.absolute()
    folder = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    name = hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()
    own = Path(folder).expanduser() / "perfkit" / "events" / (name + _SUFFIX)
    if (path.parent / "run.json").is_file():
        return path.with_name(path.name + _SUFFIX), own
    return (own,)


def _stat(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _digest(path: Path) -> str:
    """Hash of a file's content, its size included."""
    found = hashlib.blake2b(digest_size=20)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
        return f"{file.tell()}-{found.hexdigest()}"


def _load(target: Path, path: Path) -> Events | None:
    """The events, or None where there is no cache of this content.

    Raises:
        _Unusable: there is one, but damaged or not ours.
    """
    stat = _stat(path)
    if stat is None or not target.is_file():
        return None
    import pyarrow as pa  # here: a trace without cache is read without it
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(target, page_checksum_verification=True) as file:
            beside = file.schema_arrow.metadata or {}
            raw = beside.get(_KEY)
            if raw is None:
                raise _Unusable("is not one of ours")
            if beside.get(_CHECK) != _check(raw):
                raise _Unusable("is damaged")
            if msgspec.json.decode(raw, type=_Schema).schema != SCHEMA:
                return None
            about = msgspec.json.decode(raw, type=_About)
            if not _is_of(about, path, stat):
                return None
            wanted = [
                *_COLUMNS,
                *([_SHAPE] if about.shapes else []),
                *(_GRIDS if about.grids else []),
            ]
            table = file.read(columns=wanted)
            if set(table.schema.names) != set(wanted):
                raise _Unusable("contradicts itself")
    except (pa.ArrowException, msgspec.MsgspecError, OSError, ValueError, RecursionError) as error:
        raise _Unusable("is damaged") from error
    return _events(table, about)


class _Schema(msgspec.Struct):
    schema: str


def _is_of(about: _About, path: Path, stat: tuple[int, int, int, int]) -> bool:
    settled = about.written_ns - max(stat[1], stat[2]) > _SETTLED_NS
    return (settled and about.stat == stat) or about.digest == _digest(path)


def _events(table: Any, about: _About) -> Events:
    columns = {name: _column(table, name) for name in _COLUMNS}
    n = about.intervals
    texts = {"name": about.names, "cat": about.categories, "stack": about.stacks}
    for name, known in texts.items():
        codes = columns[name][:n]
        low = -1 if name == "stack" else 0
        if n > len(codes) or (n and not low <= int(codes.min()) <= int(codes.max()) < len(known)):
            raise _Unusable("contradicts itself")
    memory = {field: columns[name][n:] for name, field in _MEMORY.items()}
    return Events(
        names=about.names,
        categories=about.categories,
        stacks=about.stacks,
        labels=about.labels,
        metadata=about.metadata,
        gaps=about.gaps,
        collectives=about.collectives,
        syncs=about.syncs,
        memory=MemoryChanges(**memory),
        shapes=_shapes(_column(table, _SHAPE)[:n], about.shapes) if about.shapes else Shapes(),
        grids=_grids([_column(table, name)[:n] for name in _GRIDS]) if about.grids else Grids(),
        **{name: column[:n] for name, column in columns.items()},
    )


def _shapes(column: Ints, texts: tuple[str, ...]) -> Shapes:
    rows = np.flatnonzero(column != UNKNOWN)
    code = column[rows].astype(np.int32)
    if len(code) and not 0 <= int(code.min()) <= int(code.max()) < len(texts):
        raise _Unusable("contradicts itself")
    return Shapes(rows, code, texts)


def _grids(columns: list[Ints]) -> Grids:
    rows = np.flatnonzero(columns[0] != UNKNOWN)
    if len(rows) and int(columns[0][rows].min()) < 1:
        raise _Unusable("contradicts itself")
    return Grids(rows, *(column[rows] for column in columns))


def _column(table: Any, name: str) -> Ints:
    """A view of the column's buffer: Arrow's own way to numpy imports pandas."""
    column = table.column(name).combine_chunks()
    found = column.chunk(0) if hasattr(column, "chunk") and column.num_chunks else column
    buffer = found.buffers()[1] if len(found) else None
    if found.null_count or str(found.type) != "int64":
        raise _Unusable("contradicts itself")
    if buffer is None:
        return np.zeros(0, np.int64)
    return np.frombuffer(buffer, np.int64, len(found), 8 * found.offset)


def _store(events: Events, path: Path, stat: tuple[int, int, int, int]) -> list[Gap]:
    """Write the cache at the first place that takes it; a gap where none does."""
    try:
        table = _table(events, _digest(path), stat)
    except (OSError, TypeError, ValueError) as error:
        return [Gap("the trace is not cached", str(error))]
    why = ""
    for target in cache_paths(path):
        try:
            _write(table, target)
        except (PerfkitError, OSError) as error:
            why = getattr(error, "message", "") or str(error)
            continue
        if target.parent.name == "events":
            _prune(target)
        return []
    return [Gap("the trace is not cached", why)]


def _table(events: Events, digest: str, stat: tuple[int, int, int, int]) -> Any:
    import pyarrow as pa

    about = _About(
        schema=SCHEMA,
        digest=digest,
        stat=stat,
        written_ns=time.time_ns(),
        intervals=len(events),
        labels=dict(events.labels),
        metadata=dict(events.metadata),
        shapes=events.shapes.texts,
        grids=len(events.grids) > 0,
        **{
            field.name: getattr(events, field.name)
            for field in fields(events)
            if field.name in ("names", "categories", "stacks", "gaps", "collectives", "syncs")
        },
    )
    behind = np.zeros(len(events.memory), np.int64)
    columns = {
        name: np.concatenate(
            (
                getattr(events, name),
                getattr(events.memory, _MEMORY[name]) if name in _MEMORY else behind,
            )
        )
        for name in _COLUMNS
    }
    if events.shapes.texts:
        columns[_SHAPE] = np.full(len(events) + len(behind), UNKNOWN, np.int64)
        columns[_SHAPE][events.shapes.rows] = events.shapes.code
    for name in _GRIDS if len(events.grids) else ():
        columns[name] = np.full(len(events) + len(behind), UNKNOWN, np.int64)
        columns[name][events.grids.rows] = getattr(events.grids, name)
    arrays = {  # from their buffers: Arrow's own way from numpy imports pandas
        name: pa.Array.from_buffers(pa.int64(), len(column), [None, pa.py_buffer(column)])
        for name, column in columns.items()
    }
    beside = msgspec.json.encode(about)
    return pa.table(arrays).replace_schema_metadata({_KEY: beside, _CHECK: _check(beside)})


def _check(beside: bytes) -> bytes:
    return hashlib.blake2b(beside, digest_size=16).hexdigest().encode()


def _write(table: Any, target: Path) -> None:
    from pyarrow import parquet

    with replacing(target) as temporary:
        parquet.write_table(
            table,
            temporary,
            compression="lz4",
            use_dictionary=list(_CODED),
            row_group_size=max(1, table.num_rows),
            write_statistics=False,
            write_page_checksum=True,
        )


def _prune(kept: Path) -> None:
    """Delete the oldest caches of foreign traces while they take too much together."""
    caches = []
    for each in kept.parent.glob("*" + _SUFFIX):
        try:
            found = each.stat()
        except OSError:  # another process was faster
            continue
        caches.append((found.st_mtime_ns, found.st_size, each))
    total = sum(size for _, size, _ in caches)
    for _, size, each in sorted(caches):
        if total <= _KEPT:
            return
        if each != kept:
            each.unlink(missing_ok=True)
            total -= size
