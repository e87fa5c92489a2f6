"""Samples on disk: what comes back, and what a damaged file is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from perfkit.io import rundir
from perfkit.io.samples import FILE, read_samples, write_samples
from perfkit.model.run import Gap, Run
from perfkit.model.samples import Samples, Series


def host() -> Samples:
    return Samples(
        "host",
        np.array([10, 20, 30], np.int64),
        1_700_000_000_000_000_000,
        {"cpu_busy": Series("ratio", np.array([0.5, np.nan, 0.25]))},
        {"cores": "2"},
        (Gap("devices", "no NVIDIA driver is installed"),),
        20.0,
        1234,
    )


def device() -> Samples:
    series = {"power": Series("watt", np.array([300.0, 310.0]))}
    return Samples("device 0", np.array([11, 21], np.int64), 5, series)


def test_a_run_from_before_there_were_samples_opens_without_any(tmp_path: Path) -> None:
    rundir.save(Run("old"), tmp_path / "old")
    assert not (tmp_path / "old" / FILE).exists()
    loaded = rundir.load(tmp_path / "old")
    assert (loaded.samples, loaded.gaps) == ((), ())


def test_everything_comes_back_and_what_was_missing_is_missing_still(tmp_path: Path) -> None:
    rundir.save(Run("r", samples=(host(), device())), tmp_path / "r")
    first, second = rundir.load(tmp_path / "r").samples
    assert (first.subject, first.wall_offset_ns, first.hertz, first.cost_ns) == (
        "host",
        1_700_000_000_000_000_000,
        20.0,
        1234,
    )
    assert first.unavailable == host().unavailable
    assert first.identity == {"cores": "2"}
    assert list(first.series) == ["cpu_busy"]
    np.testing.assert_array_equal(first.series["cpu_busy"].values, [0.5, np.nan, 0.25])
    assert second.time.tolist() == [11, 21]
    assert second.series["power"].unit == "watt"


def test_a_subject_without_a_sample_keeps_its_reasons(tmp_path: Path) -> None:
    lost = Samples(
        "device 1", np.zeros(0, np.int64), 0, unavailable=(Gap("everything", "GPU is lost"),)
    )
    write_samples(tmp_path / "s.parquet", (device(), lost))
    assert read_samples(tmp_path / "s.parquet")[1].unavailable == lost.unavailable


def test_pandas_opens_it_as_a_table(tmp_path: Path) -> None:
    write_samples(tmp_path / "s.parquet", (host(), device()))
    frame = pd.read_parquet(tmp_path / "s.parquet")
    assert frame[frame.subject == "device 0"].power.tolist() == [300.0, 310.0]
    assert frame[frame.subject == "host"].power.isna().all()


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\0" * 900], ids=["empty", "cut", "zeros"])
def test_a_damaged_file_is_a_gap_and_the_run_still_opens(tmp_path: Path, content: bytes) -> None:
    rundir.save(Run("r", samples=(host(),)), tmp_path / "r")
    (tmp_path / "r" / FILE).write_bytes(content)
    loaded = rundir.load(tmp_path / "r")
    assert loaded.samples == ()
    assert [gap.what for gap in loaded.gaps] == ["the samples"]
