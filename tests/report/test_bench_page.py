"""The page of `perfkit bench` says what is fastest, why, and whether it is the same."""

from __future__ import annotations

from perfkit.report.bench_page import blocks, render


def row(**kwargs: object) -> dict[str, object]:
    return {
        "workload": "ctr",
        "settings": {},
        "device": "cpu",
        "hypothesis": "",
        "prediction": {},
        "unit": "run",
        "dispatch_s": 1.0,
        "completed_s": 1.0,
        "cpu_s": None,
        "counts": {"device_ops": 1142, "syncs": 130, "copies": 61},
        "quality": {"auc": 0.76},
        "approximate": [],
        "peak_bytes": 1 << 20,
        "failed": "",
        "escaped": False,
        "times_found": 1.0,
        **kwargs,
    }


def fast(**kwargs: object) -> dict[str, object]:
    counts = {"device_ops": 298, "syncs": 0, "copies": 2}
    given = {
        "completed_s": 0.1,
        "counts": counts,
        "times_found": 10.0,
        "settings": {"moe": "sorted"},
    }
    return row(**{**given, **kwargs})


def hero(*rows: dict[str, object]):
    return blocks("ctr", rows)[0].parts[0]


def test_the_fastest_is_named_with_what_it_no_longer_asks_for() -> None:
    said = hero(row(), fast())
    assert said.what == "moe=sorted takes 100 ms per run, 10 times as fast as found."
    assert "298 device operators instead of 1,142, 0 syncs instead of 130" in said.why
    assert "but for rounding" in said.why


def test_what_is_approximate_says_what_changes() -> None:
    assert (
        "Results differ: half precision." in hero(row(), fast(approximate=["half precision"])).why
    )


def test_time_that_escapes_the_timer_is_called_out() -> None:
    assert "would miss device time of moe=sorted" in hero(row(), fast(escaped=True)).next


def test_nothing_measured_gives_the_reasons() -> None:
    failed = row(completed_s=None, failed="RuntimeError: no")
    assert "RuntimeError: no" in hero(failed).why


def test_a_hostile_setting_stays_text() -> None:
    page = render(
        "ctr", "cpu", [row(), fast(settings={"moe": "<script>alert(1)</script>"})], "x.json"
    )
    assert "<script>alert(1)" not in page
    assert "x.json" in page


def test_expectations_stand_beside_what_came_out() -> None:
    made = blocks("ctr", [row(), fast(prediction={"syncs": 3.0}, hypothesis="no reads")])
    grid = made[2].parts[0]
    assert [cell.text for cell in grid.rows[0]] == ["no reads", "moe=sorted", "syncs 3", "0"]
