"""Histories in files: written from invented users, read for the users asked about, kept in a cache.

A row is `logid,userid,adid[,clk],timestamp,sign:slot,...`; without the click it is one to predict.
The cache is keyed by the content of the files, and an entry is written under a temporary name and
then renamed: a run that is killed leaves a whole entry or none, and a damaged one is read anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import torch

from perfkit.base.files import replacing
from perfkit.rewrites.filtered_history import History, filtered_history
from perfkit.rewrites.filtered_history.rows import Reading

from .config import Config
from .data import Row, draw_user, id_effects

FORMAT = "1"
"""Part of the key: to be raised when what is kept, or how rows are mended, changes."""
_BLOCK = 1 << 20
_UNFINISHED = ".unfinished"
_ABANDONED_AFTER_S = 3600


@dataclass(frozen=True)
class Loaded:
    """Histories, what was met in reading them, and whether the cache had them."""

    history: History
    reading: Reading
    from_cache: bool


def write_history(config: Config, path: Path, truth: Path | None = None) -> int:
    """Write a configuration's users, one after the other; the clicks to predict go to `truth`.

    Returns:
        The number of rows.
    """
    effects = id_effects(config)
    rows = 0
    with open(path, "w") as out, open(truth or os.devnull, "w") as answers:
        for user in range(config.users * config.batches):
            for row in draw_user(config, effects, user):
                out.write(as_line(row, user))
                if row.is_test:
                    answers.write(f"{row.logid},{row.label}\n")
                rows += 1
    return rows


def as_line(row: Row, user: int) -> str:
    """One row in the format."""
    pairs = (f"{sign}:{slot}" for slot, signs in row.signs.items() for sign in signs)
    click = [] if row.is_test else [str(row.label)]
    advert = next((signs[0] for signs in row.signs.values()), 0)
    head = [str(row.logid), str(user), str(advert), *click, str(row.timestamp)]
    return ",".join([*head, *pairs]) + "\n"


def read_truth(path: Path) -> dict[int, float]:
    """Clicks by logid."""
    with open(path) as lines:
        pairs = (line.split(",") for line in lines if line.strip())
        return {int(logid): float(click) for logid, click in pairs}


def load(paths: Sequence[Path], slots: int, cache: Path | None = None) -> Loaded:
    """The rows of all users with a row to predict, in any of the files.

    Memory grows with these users, not with the files.

    Args:
        cache: directory of entries; None reads the files.

    Raises:
        OSError: a file cannot be read.
        PerfkitError: the cache cannot be written to.
    """
    entry = None if cache is None else cache / f"{content_key(paths, slots)}.npz"
    kept = None if entry is None else _read_entry(entry)
    if kept is not None:
        return kept
    history, reading = filtered_history(partial(_Joined, paths), slots)
    loaded = Loaded(history, reading, from_cache=False)
    if entry is not None:
        write_entry(entry, loaded)
    return loaded


def content_key(paths: Sequence[Path], slots: int) -> str:
    """Changes with any byte of the files, their order, and what is done with them."""
    digest = hashlib.sha256(f"{FORMAT} {slots}".encode())
    for path in paths:
        digest.update(b"file")
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()[:32]


def write_entry(entry: Path, loaded: Loaded) -> None:
    """Keep an entry: whole under its name, or not at all."""
    _remove_abandoned(entry.parent)
    columns = {f.name: getattr(loaded.history, f.name).numpy() for f in fields(History)}
    with replacing(entry, suffix=_UNFINISHED) as temporary, open(temporary, "wb") as file:
        np.savez(file, reading=np.array(_as_text(loaded.reading)), **columns)
        file.flush()
        os.fsync(file.fileno())


def _remove_abandoned(cache: Path) -> None:
    """What killed runs left behind; a younger file may belong to a run that is still writing."""
    for left in cache.glob(f"*{_UNFINISHED}"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _ABANDONED_AFTER_S:
                left.unlink()


def _read_entry(entry: Path) -> Loaded | None:
    """An entry; None where there is none or it cannot be read."""
    try:
        with np.load(entry, allow_pickle=False) as kept:
            columns = {f.name: torch.from_numpy(kept[f.name]) for f in fields(History)}
            return Loaded(History(**columns), _from_text(str(kept["reading"])), from_cache=True)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _as_text(reading: Reading) -> str:
    return json.dumps(
        [reading.lines, reading.of_other_users, dict(reading.problems), reading.examples]
    )


def _from_text(text: str) -> Reading:
    lines, others, problems, examples = json.loads(text)
    return Reading(lines, others, Counter(problems), [(line, why) for line, why in examples])


class _Joined:
    """Files as one stream, each beginning on a line of its own."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._blocks = _blocks(paths)

    def __enter__(self) -> _Joined:
        return self

    def __exit__(self, *error: object) -> None:
        self._blocks.close()

    def read(self, size: int) -> bytes:
        """The next block, of the files' own size; none at the end of the last file."""
        return next(self._blocks, b"")


def _blocks(paths: Sequence[Path]) -> Generator[bytes, None, None]:
    ended = True
    for path in paths:
        if not ended:
            yield b"\n"
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                ended = block.endswith(b"\n")
                yield block
