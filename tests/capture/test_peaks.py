"""Measuring this machine: what is kept, what is measured anew, and what is never measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from perfkit import pretend
from perfkit.base.errors import NotObservable
from perfkit.capture import _peak_figures, peaks
from perfkit.capture._peak_figures import last_level_cache
from perfkit.capture._peak_timing import best_seconds, host_ns
from perfkit.capture.peaks import better, cache_folder, cached_here, measured_here
from perfkit.model.peaks import Peak, Peaks

CPU = torch.device("cpu")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Small sizes, a cache of its own, and a list that grows with each measurement."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(peaks, "BUDGET_S", 0.0)
    monkeypatch.setattr(peaks, "PASSES", 1)
    monkeypatch.setattr(_peak_figures, "_SIZES", {"cpu": (32, 64), "cuda": (1024,)})
    monkeypatch.setattr(_peak_figures, "array_bytes", lambda device: 2**20)
    measured: list[str] = []
    whole = peaks._measure

    def counted(device: torch.device) -> peaks.Peaks:
        measured.append(device.type)
        return whole(device)

    monkeypatch.setattr(peaks, "_measure", counted)
    return measured


def _only_file(folder: Path) -> Path:
    (file,) = folder.rglob("*.json")
    return file


def test_asking_the_cache_measures_nothing(quick: list[str]) -> None:
    assert cached_here("cpu") is None
    assert quick == []


@pytest.mark.parametrize("pretence", [pretend.pretend_cuda, pretend.assume_moved])
def test_under_a_pretend_device_nothing_is_measured(quick: list[str], pretence) -> None:
    with pretence():
        for device in ("cpu", "cuda"):
            assert cached_here(device) is None
            with pytest.raises(NotObservable, match="pretend"):
                measured_here(device)
    assert quick == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_there_are_no_figures_of_one(quick: list[str]) -> None:
    assert cached_here("cuda") is None
    with pytest.raises(NotObservable, match="no CUDA device"):
        measured_here("cuda")


def test_what_was_measured_is_kept_and_measured_again_only_when_asked(quick: list[str]) -> None:
    first = measured_here("cpu")
    assert measured_here("cpu") == cached_here("cpu") == first
    assert quick == ["cpu"]
    measured_here("cpu", again=True)
    assert quick == ["cpu", "cpu"]


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "null",
        lambda text: text.replace("measured", "guessed"),
        lambda text: text.replace("perfkit.peaks/1", "perfkit.peaks/9"),
        lambda text: text.replace(str(torch.__version__), "0.1"),
        lambda text: "\x00",
    ],
)
def test_a_spoiled_cache_is_measured_anew(quick: list[str], tmp_path: Path, spoiled) -> None:
    measured_here("cpu")
    file = _only_file(tmp_path)
    file.write_text(spoiled(file.read_text(encoding="utf-8")), encoding="utf-8")
    assert cached_here("cpu") is None
    measured_here("cpu")
    assert quick == ["cpu", "cpu"]
    assert cached_here("cpu") is not None


def test_bytes_that_are_no_text_are_a_spoiled_cache(quick: list[str], tmp_path: Path) -> None:
    measured_here("cpu")
    _only_file(tmp_path).write_bytes(b"\xff\xfe\x00")
    assert cached_here("cpu") is None


def test_another_number_of_threads_is_another_measurement(quick: list[str]) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        single = measured_here("cpu")
        torch.set_num_threads(2)
        assert cached_here("cpu") is None
    finally:
        torch.set_num_threads(before)
    assert single.device.endswith("(1 thread)")


def test_a_cache_that_cannot_be_written_does_not_stop_the_measurement(
    quick: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert measured_here("cpu").bandwidth is not None
    assert cached_here("cpu") is None


def test_of_two_measurements_each_figure_keeps_the_better_one() -> None:
    slow, fast = (Peak(value, "measured", "") for value in (1.0, 2.0))
    first = Peaks("a GPU", {"float16": fast, "int8": slow}, bandwidth=slow, launch_ns=fast)
    second = Peaks("a GPU", {"float16": slow}, bandwidth=fast, launch_ns=slow, sync_ns=fast)
    both = Peaks(
        "a GPU", {"float16": fast, "int8": slow}, bandwidth=fast, launch_ns=slow, sync_ns=fast
    )
    assert better(first, second) == better(second, first) == both


def test_a_relative_cache_folder_is_ignored() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "here"}) == cache_folder({})
    assert cache_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/perfkit/peaks")


def test_every_figure_of_a_cpu_says_that_and_how_it_was_measured(quick: list[str]) -> None:
    found = measured_here("cpu")
    figures = [*found.matmul.values(), *found.vector.values(), found.bandwidth, found.host_op_ns]
    for peak in figures:
        assert isinstance(peak, Peak)
        assert peak.origin == "measured" and peak.source and peak.value > 0
    assert {"float32", "float64"} <= set(found.matmul)
    assert "ns where autograd records it" in figures[-1].source
    assert (found.launch_ns, found.sync_ns, found.h2d_pinned, found.compute_units) == (None,) * 4


def test_measuring_leaves_torchs_settings_alone(quick: list[str]) -> None:
    before = torch.get_float32_matmul_precision()
    measured_here("cpu")
    assert torch.get_float32_matmul_precision() == before
    assert torch.is_grad_enabled()


def test_the_largest_cache_counts(tmp_path: Path) -> None:
    assert last_level_cache(tmp_path) == 0
    for index, size in enumerate(("64K", "2048K", "32M", "no size")):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}" / "size").write_text(size, encoding="ascii")
    assert last_level_cache(tmp_path) == 32 * 2**20


def test_work_is_called_at_least_three_times_after_a_warm_up() -> None:
    calls: list[int] = []
    assert best_seconds(lambda: calls.append(1), CPU, budget_s=0.0) > 0
    assert len(calls) == 4
    assert host_ns(lambda: calls.append(1), CPU, calls=2, rounds=3) > 0
    assert len(calls) == 4 + 1 + 6


def test_the_file_on_disk_names_what_it_depends_on(quick: list[str], tmp_path: Path) -> None:
    measured_here("cpu")
    held = json.loads(_only_file(tmp_path).read_text(encoding="utf-8"))
    assert held["key"]["torch"] == str(torch.__version__)
    assert held["key"]["threads"] == torch.get_num_threads()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_no_faster_than_its_data_sheet_and_at_least_a_third_of_it() -> None:
    from perfkit.analysis.peaks import peaks_for

    found = measured_here("cuda", again=True)
    sheet = peaks_for(found.device, found.compute_units)
    if sheet is None:
        pytest.skip(f"{found.device} is in no table")
    for dtype in ("tf32", "bfloat16", "float16"):
        if dtype in sheet.matmul:
            assert 0.33 < found.matmul[dtype].value / sheet.matmul[dtype].value < 1.05
    assert found.bandwidth is not None and sheet.bandwidth is not None
    assert 0.5 < found.bandwidth.value / sheet.bandwidth.value < 1.05
