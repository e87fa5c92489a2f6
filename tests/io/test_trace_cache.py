from __future__ import annotations

import json
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from perfkit.base.errors import PerfkitError
from perfkit.io import trace_cache
from perfkit.io.chrome import read_trace
from perfkit.io.trace_cache import cache_paths, cached_trace
from perfkit.model.events import Events, MemoryChanges
from perfkit.model.grids import Grids
from perfkit.model.shapes import Shapes
from tests.kineto_traces import document, gpu_events, needs_corpus, on_device, span, write

EXTRAS = [
    on_device("cuda_sync", "Sync", 5, 1, cuda_sync_kind="Stream Sync"),
    on_device("kernel", "tiny", 6, 1, grid=[2, 3, 1], block=[128, 1, 1]),
    on_device("kernel", "ncclDevKernel", 7, 1, **{"Collective name": "allreduce"}),
    {**span("cpu_instant_event", "[memory]", 3, 0, Bytes=64), "ph": "i"},
    {**span("cpu_op", "a", 1, 1), "tid": "worker", "args": {"Call stack": "a.py(3): f"}},
    span("cpu_op", "no duration", 2, -1),
    span(
        "cpu_op", "aten::mm", 4, 1, **{"Input Dims": [[2, 3], [3, 4]], "Input type": ["float"] * 2}
    ),
]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write(tmp_path / "in" / "t.json.gz", document([*gpu_events(), *EXTRAS], traceName="x"))


def assert_same(found: Events, expected: Events) -> None:
    found.self_check()
    for field in fields(Events):
        mine, its = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(its, np.ndarray):
            assert (field.name, mine.tolist()) == (field.name, its.tolist())
        elif isinstance(its, MemoryChanges | Shapes | Grids):
            for column in fields(its):
                assert [*getattr(mine, column.name)] == [*getattr(its, column.name)]
        else:
            assert (field.name, mine) == (field.name, its)


def decoded_again(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Fills with every trace that is decoded instead of taken from its cache."""
    decoded: list[Path] = []

    def noted(path: Path, **options: Any) -> Events:
        decoded.append(path)
        return read_trace(path, **options)

    monkeypatch.setattr(trace_cache, "read_trace", noted)
    return decoded


# What is decoded afresh.


def test_another_content_is_decoded_without_a_gap(
    trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached_trace(trace)
    before = trace.stat()
    write(trace, document(gpu_events()))
    os.utime(trace, ns=(before.st_atime_ns, before.st_mtime_ns))
    decoded = decoded_again(monkeypatch)
    assert_same(cached_trace(trace), read_trace(trace))
    assert decoded == [trace]
    cached_trace(trace)
    assert decoded == [trace]


def test_another_schema_is_decoded_without_a_gap(
    trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached_trace(trace)
    monkeypatch.setattr(trace_cache, "SCHEMA", "perfkit.events/0")
    decoded = decoded_again(monkeypatch)
    assert_same(cached_trace(trace), read_trace(trace))
    assert decoded == [trace]


def test_a_foreign_file_in_its_place_is_told_and_replaced(trace: Path) -> None:
    expected = cached_trace(trace)
    (target,) = cache_paths(trace)
    parquet.write_table(pa.table({"start": [1, 2]}), target)
    found = cached_trace(trace)
    assert [gap.what for gap in found.gaps] == [
        *(gap.what for gap in expected.gaps),
        "the trace was read afresh",
    ]
    assert "is not one of ours" in found.gaps[-1].why
    assert_same(cached_trace(trace), expected)


def test_columns_that_contradict_their_dictionary_are_not_used(trace: Path) -> None:
    cached_trace(trace)
    (target,) = cache_paths(trace)
    table = parquet.read_table(target)
    names = table.column("name").to_numpy() + 1000
    at = table.schema.get_field_index("name")
    parquet.write_table(table.set_column(at, "name", pa.array(names)), target)
    found = cached_trace(trace)
    assert "contradicts itself" in found.gaps[-1].why
    assert found.start.tolist() == read_trace(trace).start.tolist()


def test_urls_leave_no_cache(trace: Path, cache_folder: Path) -> None:
    with fsspec.open("memory://cached/t.json.gz", "wb") as file:
        file.write(trace.read_bytes())
    assert len(cached_trace("memory://cached/t.json.gz")) == len(read_trace(trace))
    assert not cache_folder.exists()


def test_what_is_no_trace_leaves_no_cache(tmp_path: Path, cache_folder: Path) -> None:
    (tmp_path / "t.json").write_text("<html>")
    for name in ("t.json", "nowhere.json"):
        with pytest.raises(PerfkitError):
            cached_trace(tmp_path / name)
    assert not cache_folder.exists()


# What comes from the cache.


def test_a_second_opening_decodes_nothing(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = decoded_again(monkeypatch)
    first, second = cached_trace(trace), cached_trace(str(trace))
    assert decoded == [trace]
    assert_same(second, first)
    assert len(second.memory) == len(second.syncs) == len(second.collectives) == 1
    assert [gap.why for gap in second.gaps] == ["their duration is negative"]


def test_a_touched_file_of_the_same_content_is_not_decoded(
    trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached_trace(trace)
    os.utime(trace, ns=(1, 1))
    decoded = decoded_again(monkeypatch)
    cached_trace(trace)
    assert decoded == []


def test_an_unchanged_file_is_not_even_hashed(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_cache, "_SETTLED_NS", -1_000_000_000)
    cached_trace(trace)
    monkeypatch.setattr(trace_cache, "_digest", lambda path: pytest.fail("hashed"))
    assert len(cached_trace(trace)) == len(read_trace(trace))


@pytest.mark.parametrize("data", [[], [EXTRAS[2]]], ids=["nothing", "memory-only"])
def test_traces_without_intervals_are_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: list[dict[str, Any]]
) -> None:
    path = write(tmp_path / "t.json", document(data))
    first = cached_trace(path)
    decoded = decoded_again(monkeypatch)
    assert_same(cached_trace(path), first)
    assert decoded == []


# Where it lies.


def test_a_foreign_trace_gets_nothing_beside_it(trace: Path, cache_folder: Path) -> None:
    cached_trace(trace)
    assert list(trace.parent.iterdir()) == [trace]
    assert len(list(cache_folder.rglob("*.parquet"))) == 1


def test_a_run_keeps_its_cache_and_may_be_moved(
    trace: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (trace.parent / "run.json").write_text("{}")
    cached_trace(trace)
    assert not cache_folder.exists()
    moved = trace.parent.rename(trace.parent.with_name("elsewhere"))
    decoded = decoded_again(monkeypatch)
    cached_trace(moved / trace.name)
    assert decoded == []


def test_a_place_that_cannot_be_written_is_told(trace: Path, cache_folder: Path) -> None:
    cache_folder.write_text("a file where the folder should be")
    found = cached_trace(trace)
    assert found.gaps[-1].what == "the trace is not cached"
    assert found.start.tolist() == read_trace(trace).start.tolist()


def test_old_caches_of_foreign_traces_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_folder: Path
) -> None:
    paths = [write(tmp_path / f"{i}.json", document(gpu_events())) for i in range(3)]
    cached_trace(paths[0])
    (first,) = cache_folder.rglob("*.parquet")
    os.utime(first, ns=(1, 1))
    cached_trace(paths[1])
    monkeypatch.setattr(trace_cache, "_KEPT", 2 * first.stat().st_size + 200)
    cached_trace(paths[2])
    left = {path.name for path in cache_folder.rglob("*.parquet")}
    assert left == {cache_paths(paths[i])[0].name for i in (1, 2)}


# Any damage at all.


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_cache_never_changes_the_events(trace: Path, data: st.DataObject) -> None:
    expected = cached_trace(trace)
    (target,) = cache_paths(trace)
    sound = target.read_bytes()
    at = data.draw(st.integers(0, len(sound) - 1))
    byte = bytes([data.draw(st.integers(0, 255))])
    damaged = data.draw(st.sampled_from([sound[:at], sound[:at] + byte + sound[at + 1 :]]))
    target.write_bytes(damaged)
    found = cached_trace(trace)
    assert_same(replace(found, gaps=expected.gaps), expected)


@needs_corpus("h100_qwen1.5_0.5b", "b200_eager", "a100_nccl_collectives")
def test_real_traces_come_back_the_same(trace: Path) -> None:
    first = cached_trace(trace)
    assert_same(cached_trace(trace), first)
    assert json.dumps(dict(first.metadata))
