from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from perfkit.base.errors import PerfkitError
from perfkit.cli.fix import command

SOURCE = "import torch\r\n\r\nx = torch.tensor(0.5, device=d)  # half\r\nopt.zero_grad(set_to_none=False)\r\n"
CLEAN = "import torch\n\nx = torch.zeros(3)\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "train.py"
    path.write_bytes(SOURCE.encode())
    return path


def test_help_and_a_run_need_no_torch(file: Path) -> None:
    program = (
        "import sys; from perfkit.cli.fix import command; "
        "code = command.main(['train.py'], standalone_mode=False); "
        "print(code, [m for m in ('torch', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=file.parent, capture_output=True)
    assert done.stdout.endswith(b"0 []\n"), done.stderr


def test_nothing_to_do_prints_nothing_and_ends_well(file: Path) -> None:
    file.write_text(CLEAN)
    for options in ([], ["--check"], ["--write"]):
        result = CliRunner().invoke(command, [*options, "."], standalone_mode=False)
        assert result.return_value == 0 and result.stdout == ""
    assert file.read_text() == CLEAN


def test_the_diff_is_shown_and_the_file_stays(file: Path) -> None:
    result = CliRunner().invoke(command, ["."], standalone_mode=False)
    assert result.return_value == 0
    assert result.stdout_bytes.decode() == (
        "--- a/train.py\n+++ b/train.py\n@@ -1,4 +1,4 @@\n import torch\r\n \r\n"
        "-x = torch.tensor(0.5, device=d)  # half\r\n+x = torch.full((), 0.5, device=d)  # half\r\n"
        " opt.zero_grad(set_to_none=False)\r\n"
    )
    assert "train.py:4: grads_to_none needs --unsafe" in result.stderr
    assert file.read_bytes() == SOURCE.encode()


def test_check_says_three_and_writes_nothing(file: Path) -> None:
    result = CliRunner().invoke(command, ["--check", "."], standalone_mode=False)
    assert result.return_value == 3
    assert file.read_bytes() == SOURCE.encode()


def test_write_applies_once_and_for_all(file: Path) -> None:
    for _ in range(2):
        result = CliRunner().invoke(command, ["--write", "."], standalone_mode=False)
        assert result.return_value == 0 and result.stdout == ""
    assert file.read_bytes() == SOURCE.replace("tensor(0.5", "full((), 0.5").encode()
    result = CliRunner().invoke(command, ["--check", "."], standalone_mode=False)
    assert result.return_value == 0


def test_unsafe_ones_are_named_with_what_to_check(file: Path) -> None:
    result = CliRunner().invoke(
        command, ["--unsafe", "--write", "--select", "grads_to_none", "."], standalone_mode=False
    )
    assert "check that every parameter" in result.stderr
    assert file.read_bytes() == SOURCE.replace("set_to_none=False", "").encode()


def test_fixes_can_be_left_out(file: Path) -> None:
    for options in (["--ignore", "full_scalar"], ["--select", "any_guard,masked_copy"]):
        result = CliRunner().invoke(command, [*options, "--check", "."], standalone_mode=False)
        assert result.return_value == 0


def test_an_unreadable_file_is_named_and_the_others_are_fixed(file: Path) -> None:
    broken = file.with_name("broken.py")
    broken.write_text("import torch\nx = torch.tensor(0.5, device=d\n")
    result = CliRunner().invoke(command, ["--write", "."], standalone_mode=False)
    assert result.return_value == 0 and "broken.py: left alone: not parsed" in result.stderr
    assert b"full(" in file.read_bytes()


@pytest.mark.parametrize(
    "options", [["none.py"], ["--select", "nothing", "."], ["--page", "nothing"]]
)
def test_mistakes_are_told(file: Path, options: list[str]) -> None:
    with pytest.raises(PerfkitError):
        CliRunner().invoke(command, options, standalone_mode=False, catch_exceptions=False)


def test_no_path_and_both_ways_are_mistakes(file: Path) -> None:
    assert CliRunner().invoke(command, []).exit_code == 2
    assert CliRunner().invoke(command, ["--write", "--check", "."]).exit_code == 2


def test_pages_and_the_list() -> None:
    listed = CliRunner().invoke(command, ["--list"]).output
    assert "any_guard             safe" in listed and "expert_loop           unsafe" in listed
    assert "Why it is safe" in CliRunner().invoke(command, ["--page", "any_guard"]).output
