from __future__ import annotations

import os
from pathlib import Path

import pytest

from perfkit.model.syncs import Frame
from perfkit.remedies.sources import function_at, functions_of, stands_there, unchanged_since

BEGAN = 1_000_000.0
SOURCE = b"""class A:
    def f(self):
        def inner():
            return 1
        return inner

    async def g(self):
        return 2

def h():
    yield 3

x = 1
"""


def _file(folder: Path, written: float, name: str = "a.py") -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(SOURCE)
    os.utime(path, (written, written))
    return str(path)


def test_only_a_file_from_before_the_run_is_what_ran(tmp_path: Path) -> None:
    read = unchanged_since(BEGAN)
    assert read(_file(tmp_path, BEGAN - 1)) == SOURCE
    assert read(_file(tmp_path, BEGAN + 1)) == "the file was changed after the run began"


@pytest.mark.parametrize(
    ("name", "why"),
    [("gone/a.py", "not here"), ("<stdin>", "not here"), ("\0", "not here"), ("", "no Python")],
)
def test_what_is_no_file_is_a_reason(tmp_path: Path, name: str, why: str) -> None:
    assert why in str(
        unchanged_since(BEGAN)(os.path.join(tmp_path, name) if name else str(tmp_path))
    )


def test_libraries_are_left_alone(tmp_path: Path) -> None:
    file = _file(tmp_path, BEGAN - 1, "site-packages/a.py")
    assert unchanged_since(BEGAN)(file) == "the line is in an installed package"


@pytest.mark.parametrize("line", [7, 10, 13, 99])
def test_what_cannot_be_called_by_itself_has_no_name(line: int) -> None:
    assert function_at(SOURCE, line) is None


def test_a_method_around_an_inner_function_has_one() -> None:
    found = function_at(SOURCE, 4)
    assert found is not None and (found.name, found.first, found.last) == ("A.f", 2, 5)
    assert functions_of(SOURCE, (3, 4, 13)) == ("A.f",)
    assert functions_of(b"def (", (1,)) == ()


@pytest.mark.parametrize(
    ("function", "line", "there"),
    [("A.f", 3, True), ("inner", 4, True), ("f", 8, False), ("<module>", 13, True)],
)
def test_a_place_names_its_function(function: str, line: int, there: bool) -> None:
    assert stands_there(SOURCE, Frame("a.py", line, function)) is there
