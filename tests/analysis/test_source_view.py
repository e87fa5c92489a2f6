"""Which lines a source view gets: short functions whole, long ones near their sync points."""

from __future__ import annotations

from pathlib import Path

from perfkit.analysis.source_view import source_view_table
from perfkit.analysis.sync_points import SyncPoint, sync_points
from tests.draw import draw, item


def _points(*places: tuple[Path, int]) -> tuple[SyncPoint, ...]:
    return sync_points(draw("step  dddd", syncs=tuple(item(str(f), n, step=0) for f, n in places)))


def _numbers(points: tuple[SyncPoint, ...]) -> list[tuple[object, ...]]:
    return [(row["function"], row["number"]) for row in source_view_table(points).records()]


def test_what_cannot_be_read_has_no_lines(tmp_path: Path) -> None:
    assert _numbers(_points((tmp_path / "gone.py", 3))) == []


def test_a_short_function_comes_whole_and_once(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text("x = 1\n\ndef f():\n    a()\n    b()\n    return c()\n\ny = 2\n", "utf-8")
    assert _numbers(_points((file, 4), (file, 6))) == [("f", n) for n in (3, 4, 5, 6)]


def test_of_a_long_function_its_head_and_the_lines_near_by(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text("def f():\n" + "    a()\n" * 200, "utf-8")
    assert _numbers(_points((file, 100))) == [("f", n) for n in (1, *range(92, 109))]


def test_hundreds_of_places_stay_bounded(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text("".join(f"def f{n}():\n" + "    a()\n" * 50 for n in range(100)), "utf-8")
    points = _points(*((file, 51 * n + 2) for n in range(100)))
    assert 700 <= len(_numbers(points)) <= 800
