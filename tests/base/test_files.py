"""A reader sees the old file or the new one, never half."""

from __future__ import annotations

import os

import pytest

from perfkit.base.errors import PerfkitError
from perfkit.base.files import replacing, write_text


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_folders_are_made_and_permissions_are_the_usual(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_text(path, "grüße")
    assert path.read_text(encoding="utf-8") == "grüße"
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_folder_that_cannot_be_made_is_the_users_to_mend(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PerfkitError, match="cannot write"):
        write_text(tmp_path / "file" / "a.txt", "")
