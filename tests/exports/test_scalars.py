from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perfkit.exports import scalars as exported
from perfkit.exports._event_file import Scalar, event_file
from perfkit.exports.scalars import scalars, write_scalars
from perfkit.io import rundir
from perfkit.model.diagnosis import Coverage, Diagnosis, Verdict
from perfkit.model.run import Gap, Run, Step
from perfkit.model.samples import Samples, Series
from perfkit.model.syncs import Direction, Sync
from perfkit.model.table import Column, Table

MS = 1_000_000
OFFSET_NS = 1_700_000_000_000_000_000


def diagnosis(*tables: tuple[str, Table]) -> Diagnosis:
    return Diagnosis("r", Verdict("", "", ""), Coverage(0, ""), tables=dict(tables))


def breakdown(*rows: tuple[int, str, str, float]) -> tuple[str, Table]:
    names = ("step", "side", "part", "share")
    return "step_breakdown", Table(tuple(map(Column, names)), rows)


def sync(step: int | None, count: int, direction: Direction, kind: str) -> Sync:
    return Sync("aten::x", kind, direction, "forward", (), step, count)


def run() -> Run:
    """A warm-up, two bare, two light and two deep steps of 10 ms each."""
    names = ("warm-up", "bare", "bare", "light", "light", "deep", "deep")
    steps = tuple(Step(n, name, n * 10 * MS, (n + 1) * 10 * MS) for n, name in enumerate(names))
    return Run("r", steps=steps)


def by_tag(run: Run, found: Diagnosis) -> dict[str, list[tuple[int, float]]]:
    told: dict[str, list[tuple[int, float]]] = {}
    for each in scalars(run, found):
        told.setdefault(each.tag.removeprefix("perfkit/"), []).append((each.step, each.value))
    return told


def test_a_run_without_steps_writes_no_file(tmp_path: Path) -> None:
    assert write_scalars(tmp_path, Run("r"), diagnosis()) is None
    assert list(tmp_path.iterdir()) == []


def test_lost_synchronisation_points_are_no_zeros() -> None:
    lost = replace(run(), gaps=(Gap("the synchronisation points", "syncs.json is missing"),))
    assert not {"syncs", "blocking_copies"} & set(by_tag(lost, diagnosis()))


def test_a_breakdown_of_other_steps_gives_no_busy_share() -> None:
    assert not any(
        tag.startswith("device_busy")
        for tag in by_tag(run(), diagnosis(breakdown((0, "device 0", "idle", 0.25))))
    )


def test_values_that_were_not_available_give_no_points() -> None:
    nowhere = Samples("device 0", np.array([15 * MS]), 0, {"sm_utilisation": series(math.nan)})
    assert not any("nvml" in tag for tag in by_tag(replace(run(), samples=(nowhere,)), diagnosis()))


def series(*values: float) -> Series:
    return Series("ratio", np.array(values))


def test_each_step_carries_what_its_instrument_saw() -> None:
    syncs = (
        sync(5, 3, "d2h", "item"),
        sync(5, 2, "h2d", "h2d"),
        sync(5, 1, "d2h", "d2h"),
        sync(None, 9, "h2d", "h2d"),
        sync(3, 7, "d2h", "item"),
    )
    told = by_tag(replace(run(), syncs=syncs, launches_per_step=12.5), diagnosis())
    assert told == {
        "step_time_ms": [(1, 10.0), (2, 10.0)],
        "step_time_traced_ms": [(3, 10.0), (4, 10.0)],
        "syncs": [(5, 3), (6, 0)],
        "blocking_copies": [(5, 3), (6, 0)],
        "launches": [(6, 12.5)],
    }


def test_times_under_a_pretence_have_a_tag_of_their_own() -> None:
    told = by_tag(replace(run(), device="pretend-cuda"), diagnosis())
    assert "step_time_pretend_ms" in told and "step_time_ms" not in told


def test_devices_have_a_tag_each() -> None:
    rows = [(n, f"device {d}", "idle", 0.25 * (d + 1)) for n in (7, 8) for d in (0, 1)]
    rows += [(n, "host", "python", 0.5) for n in (7, 8)]
    told = by_tag(run(), diagnosis(breakdown(*rows)))
    assert told["device_busy/device_0"] == [(3, 0.75), (4, 0.75)]
    assert told["device_busy/device_1"] == [(3, 0.5), (4, 0.5)]


def test_nvml_is_averaged_inside_each_step() -> None:
    time = np.array([11, 13, 17, 25, 999]) * MS
    seen = Samples("device 0", time, 0, {"sm_utilisation": series(0.2, 0.4, math.nan, 1.0, 0.5)})
    told = by_tag(replace(run(), samples=(seen,)), diagnosis())
    assert told["nvml/device_0"] == [(1, pytest.approx(0.3)), (2, 1.0)]


def test_the_wall_clock_is_the_samplers() -> None:
    seen = Samples("host", np.array([0]), OFFSET_NS)
    first = scalars(replace(run(), samples=(seen,)), diagnosis())[0]
    assert first.wall_s == (20 * MS + OFFSET_NS) / 1e9


def test_without_samples_the_run_ended_when_it_was_saved(tmp_path: Path) -> None:
    saved = rundir.save(run(), tmp_path / "r")
    last = max(scalars(saved, diagnosis()), key=lambda each: each.step)
    assert last.wall_s == pytest.approx((tmp_path / "r" / "run.json").stat().st_mtime)


# What TensorBoard's own reader makes of the file.


def read(file: Path) -> list[tuple[str, int, float, float]]:
    loaders = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    events = list(loaders.LegacyEventFileLoader(str(file)).Load())
    assert events[0].file_version == "brain.Event:2"
    return [
        (value.tag, event.step, event.wall_time, value.simple_value)
        for event in events[1:]
        for value in event.summary.value
    ]


def test_tensorboard_reads_back_every_number(tmp_path: Path) -> None:
    written = [
        Scalar("perfkit/step_time_ms", 0, 1.7e9, 0.25),
        Scalar("perfkit/é", 1, 1.7e9 + 0.5, -3.0),
        Scalar("perfkit/" + "x" * 200, 2**40 + 1, 1.7e9 + 1, 1024.5),
        Scalar("perfkit/before", -1, 1.7e9, 0.0),
    ]
    file = tmp_path / "events.out.tfevents.x"
    file.write_bytes(event_file(written))
    assert read(file) == [(each.tag, each.step, each.wall_s, each.value) for each in written]


def test_a_file_of_no_numbers_is_still_one(tmp_path: Path) -> None:
    file = tmp_path / "events.out.tfevents.x"
    file.write_bytes(event_file(()))
    assert read(file) == []


def test_the_checksum_is_the_one_of_rfc_3720() -> None:
    """32 zero bytes, and ascending ones (its appendix B.4), masked as TFRecords are."""
    from perfkit.exports._event_file import _masked

    for data, crc in ((bytes(32), 0x8A9136AA), (bytes(range(32)), 0x46DD794E)):
        assert _masked(data) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_writing_again_replaces_the_file(tmp_path: Path) -> None:
    for _ in range(2):
        assert write_scalars(tmp_path, run(), diagnosis()) == tmp_path / exported.FILE
    assert [file.name for file in tmp_path.iterdir()] == [exported.FILE]
    assert len(read(tmp_path / exported.FILE)) == len(scalars(run(), diagnosis()))
