"""Source around a place: the whole statement, its neighbours, and nothing where nothing can be read."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfkit.analysis.source import Source, source_at
from perfkit.model.syncs import Frame

TEXT = """\
import torch


class Net:
    @torch.no_grad()
    def forward(self, x):
        if x.any():
            y = torch.where(
                x,
                0,
            )
        return [v for v in x]


z = 1
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "net.py"
    path.write_text(TEXT, encoding="utf-8")
    yield str(path)
    linecache.checkcache(str(path))


def _at(file: str, line: int) -> Source:
    source = source_at(Frame(file, line, "f"))
    assert source is not None
    return source


@pytest.mark.parametrize("line", [0, -3, 99])
def test_lines_that_do_not_exist_have_no_source(file: str, line: int) -> None:
    assert source_at(Frame(file, line, "f")) is None


def test_what_cannot_be_read_has_no_source(tmp_path: Path) -> None:
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00 = 1\n")
    for name in (str(tmp_path), str(tmp_path / "gone.py"), str(tmp_path / "bytes.py"), "<string>"):
        assert source_at(Frame(name, 1, "f")) is None
    assert source_at(None) is None


def test_a_device_that_never_ends_is_not_read() -> None:
    assert source_at(Frame("/dev/zero", 1, "f")) is None


def test_a_file_that_does_not_parse_still_shows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("a = 1\nif :\nb = 2\n", encoding="utf-8")
    source = _at(str(path), 2)
    assert (source.code, source.function) == ("if :", "")
    assert [line.marked for line in source.lines] == [False, True, False]


def test_a_compound_statement_is_its_head_only(file: str) -> None:
    source = _at(file, 7)
    assert source.code == "if x.any():"
    assert source.function == "Net.forward"
    assert [(line.number, line.marked) for line in source.lines] == [
        (4, False), (5, False), (6, False), (7, True), (8, False), (9, False), (10, False),
    ]  # fmt: skip


@pytest.mark.parametrize("line", [8, 9, 11])
def test_any_line_of_a_statement_shows_all_of_it(file: str, line: int) -> None:
    source = _at(file, line)
    assert source.code == "y = torch.where( x, 0, )"
    assert [shown.number for shown in source.lines if shown.marked] == [8, 9, 10, 11]


def test_module_level_has_no_function(file: str) -> None:
    assert _at(file, 15).function == ""


def test_of_a_long_statement_only_the_line_counts(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text("x = [\n" + "    1,\n" * 500 + "]\n", encoding="utf-8")
    source = _at(str(path), 400)
    assert [shown.number for shown in source.lines if shown.marked] == [400]
    assert (source.code, len(source.lines)) == ("1,", 7)


def test_endless_lines_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "wide.py"
    path.write_text(f"x = '{'y' * 10_000}'\n", encoding="utf-8")
    source = _at(str(path), 1)
    assert len(source.code) < 210
    assert source.code.endswith("…")
    assert len(source.lines[0].text) == 500


def test_code_without_a_file_comes_from_linecache() -> None:
    linecache.cache["<cell 3>"] = (6, None, ["x = 1\n"], "<cell 3>")
    try:
        assert _at("<cell 3>", 1).code == "x = 1"
    finally:
        del linecache.cache["<cell 3>"]


def test_a_loop_through_the_steps_is_known_by_its_header_or_by_learning() -> None:
    name = "/home/ada/steps.py"
    text = (
        "for batch in loader:\n    a = 1\n    for row in rows:\n        b = 2\n"
        "for number in range(9):\n    c = 3\n    loss.backward()\nd = 4\n"
    )
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    known = {line: source_at(Frame(name, line, "f")) for line in (2, 4, 6, 8)}
    told = {line: (s.loop, s.repeated_by) for line, s in known.items() if s is not None}
    assert told == {2: (1, None), 4: (3, 3), 6: (5, None), 8: (None, None)}
