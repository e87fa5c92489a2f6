"""Which files are looked at, and that a changed one keeps its rights and its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfkit.base.errors import PerfkitError
from perfkit.fixes._files import python_files, write


def test_hidden_and_built_folders_are_left_out(tmp_path: Path) -> None:
    for name in ("a.py", "b.txt", ".git/c.py", "build/d.py", "pkg/e.py", "venv/f.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = [path.relative_to(tmp_path).as_posix() for path in python_files([tmp_path])]
    assert found == ["a.py", "pkg/e.py"]
    assert list(python_files([tmp_path / "b.txt"])) == [tmp_path / "b.txt"]


def test_a_path_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(PerfkitError, match="is not there"):
        list(python_files([tmp_path / "none.py"]))


def test_rights_and_links_are_kept(tmp_path: Path) -> None:
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_text("a")
    real.chmod(0o750)
    link.symlink_to(real)
    write(link, b"b")
    assert link.is_symlink() and real.read_bytes() == b"b"
    assert real.stat().st_mode & 0o777 == 0o750
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.py", "real.py"]
