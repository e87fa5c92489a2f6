"""What is seen of real little DataLoaders, and that torch is left as it was found."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from torch.utils.data.dataloader import _BaseDataLoaderIter

from perfkit.capture import loaders
from perfkit.capture.loaders import LoaderLog, watching_loaders
from perfkit.capture.marks import loaders_seen, marking
from tests.capture.test_marks import Heard

DATA = TensorDataset(torch.zeros(6, 2))


class Endless(IterableDataset):  # type: ignore[type-arg]
    def __iter__(self) -> Iterator[int]:
        return iter(range(4))


class Nested(Dataset):  # type: ignore[type-arg]
    """Loads from another loader for every sample."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> torch.Tensor:
        return next(iter(DataLoader(DATA, batch_size=6)))[0][index]


@pytest.fixture
def log() -> Iterator[LoaderLog]:
    torch.set_num_threads(1)
    found = LoaderLog()
    with watching_loaders(found):
        yield found


def test_torch_is_left_as_it_was_found() -> None:
    before = DataLoader.__iter__, _BaseDataLoaderIter.__next__
    with watching_loaders(LoaderLog()):
        assert (DataLoader.__iter__, _BaseDataLoaderIter.__next__) != before
    assert (DataLoader.__iter__, _BaseDataLoaderIter.__next__) == before


def test_a_loader_that_hands_over_nothing_is_not_told(log: LoaderLog) -> None:
    iter(DataLoader(DATA))
    assert log.seen() == ()


def test_another_thread_holds_up_no_step(log: LoaderLog) -> None:
    thread = threading.Thread(target=lambda: list(DataLoader(DATA)))
    thread.start()
    thread.join()
    assert log.seen() == ()


def test_settings_batches_and_waits_are_told(log: LoaderLog) -> None:
    loader = DataLoader(DATA, batch_size=2)
    for _ in range(2):
        list(loader)
    (found,) = log.seen()
    assert (found.dataset, found.batch_size, found.num_workers) == ("TensorDataset", 2, 0)
    assert (found.pin_memory, found.prefetch_factor, found.persistent_workers) == (
        False,
        None,
        False,
    )
    assert (found.length, found.batches) == (3, 6)
    assert (len(found.starts), len(found.waits)) == (2, 4)
    moments = [moment for wait in sorted((*found.starts, *found.waits)) for moment in wait]
    assert moments == sorted(moments)


def test_a_dataset_without_a_length_leaves_it_unknown(log: LoaderLog) -> None:
    list(DataLoader(Endless(), batch_size=None))
    (found,) = log.seen()
    assert (found.batch_size, found.length, found.batches) == (None, None, 4)


def test_of_loaders_inside_each_other_the_outer_one_waits(log: LoaderLog) -> None:
    list(DataLoader(Nested()))
    assert [(found.dataset, found.batches) for found in log.seen()] == [("Nested", 2)]


def test_two_loaders_are_two(log: LoaderLog) -> None:
    train, valid = DataLoader(DATA, batch_size=2), DataLoader(DATA, batch_size=3)
    for _ in zip(train, valid, strict=False):
        pass
    assert [(found.batch_size, found.batches) for found in log.seen()] == [(2, 3), (3, 2)]


def test_workers_that_persist_start_once(log: LoaderLog) -> None:
    for persistent, starts in ((True, 1), (False, 2)):
        loader = DataLoader(DATA, batch_size=3, num_workers=1, persistent_workers=persistent)
        for _ in range(2):
            list(loader)
        found = log.seen()[-1]
        assert (len(found.starts), found.batches, found.prefetch_factor) == (starts, 4, 2)


def test_long_programs_keep_the_first_waits(
    log: LoaderLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaders, "MOST", 2)
    list(DataLoader(DATA))
    (found,) = log.seen()
    assert (found.batches, len(found.waits)) == (6, 2)


def test_marks_watch_loaders_and_begin_afresh() -> None:
    for size in (2, 3):
        with marking(Heard()):
            list(DataLoader(DATA, batch_size=size))
        assert [(found.batch_size, found.batches) for found in loaders_seen()] == [
            (size, 6 // size)
        ]


def test_time_without_a_core_is_told_per_wait_and_left_out_where_nobody_counts_it(
    log: LoaderLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = tmp_path / "schedstat"
    counts.write_text("5 70 1\n", encoding="ascii")
    monkeypatch.setattr(loaders, "_SCHEDULER", counts)
    list(DataLoader(DATA, batch_size=2))
    monkeypatch.setattr(loaders, "_SCHEDULER", tmp_path / "missing")
    list(DataLoader(DATA, batch_size=3))
    assert [(len(found.waits), found.delays) for found in log.seen()] == [(2, (0, 0)), (1, ())]


class Nestled:
    """A program's own batch."""

    def __init__(self, rows: list[torch.Tensor]) -> None:
        self.rows, self.more, self.itself = rows, {"a": (rows[0], "text", 3)}, self


def test_tensors_of_the_first_batches_are_counted_wherever_they_lie(log: LoaderLog) -> None:
    list(DataLoader(DATA, batch_size=2, collate_fn=lambda rows: Nestled([r[0] for r in rows])))
    list(DataLoader([1, 2], collate_fn=list))  # type: ignore[arg-type]
    first, second = log.seen()
    assert (first.tensors, first.nbytes) == (2.0, 2.0 * 8)
    assert (second.tensors, second.nbytes) == (0.0, 0.0)
