"""Completion as shells ask for it, and what `perfkit` alone says."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from perfkit.base.errors import PerfkitError
from perfkit.base.plugins import names
from perfkit.cli import group
from perfkit.cli.completion import command

_TRY = """
source /dev/stdin <<< "$SCRIPT"
COMP_WORDS=(perfkit "$@"); COMP_CWORD=$#; COMPREPLY=()
_perfkit_completion perfkit
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: str) -> str:
    result = CliRunner().invoke(command, [shell], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two runs, and a `perfkit` on the path."""
    for name in ("before", "better"):
        (tmp_path / "profiles" / name).mkdir(parents=True)
        (tmp_path / "profiles" / name / "run.json").write_text(json.dumps({}))
    program = tmp_path / "bin" / "perfkit"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m perfkit "$@"\n')
    program.chmod(0o755)
    return tmp_path


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("nothing-like-this",), {""}),
        (("rep",), {"report"}),
        (("report", "be"), {"before", "better"}),
        (("report", "--fo"), {"--for", "--format"}),
        (("report", "--format", "j"), {"json"}),
        (("export", "before", "--spee"), {"--speedscope"}),
        (("explain", "host-wait"), {"host-wait-in-step"}),
        (("explain", "pk101"), {"PK101"}),
        (("completion", ""), {"bash", "zsh", "fish"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bash_completes(folder: Path, words: tuple[str, ...], expected: set[str]) -> None:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", _TRY, "bash", *words],
        cwd=folder,
        env={**os.environ, "PATH": path, "SCRIPT": script("bash")},
        capture_output=True,
        text=True,
    )
    assert set(done.stdout.splitlines()) == expected, done.stderr


@pytest.mark.parametrize(
    ("shell", "word"),
    [("bash", "complete -o nosort"), ("zsh", "compdef"), ("fish", "complete --no-files")],
)
def test_each_shell_gets_its_own_script(shell: str, word: str) -> None:
    assert word in script(shell)


def test_a_shell_nobody_knows_is_refused() -> None:
    assert CliRunner().invoke(command, ["tcsh"]).exit_code == 2


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("exprt", "did you mean: perfkit export"),
        ("train.py", "to run a script: perfkit profile train.py"),
        ("xyzzy", "perfkit --help lists them"),
    ],
)
def test_a_command_that_is_none_names_the_one_that_was_meant(word: str, hint: str) -> None:
    with pytest.raises(PerfkitError, match="there is no command") as caught:
        CliRunner().invoke(group, [word], catch_exceptions=False)
    assert caught.value.hint.startswith(hint)


def test_the_name_of_a_run_is_taken_for_the_wish_to_see_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(PerfkitError) as caught:
        CliRunner().invoke(group, ["before"], catch_exceptions=False)
    assert caught.value.hint == "to show a run: perfkit report before"


def test_help_lists_every_command_and_the_exit_codes() -> None:
    text = CliRunner().invoke(group, ["--help"]).stdout
    for name in names("perfkit.cli"):
        assert f"\n  {name} " in text
    assert "3    a gate did not hold" in text


def test_help_and_completion_import_no_command() -> None:
    code = (
        "import sys, click\n"
        "from click.testing import CliRunner\n"
        "from perfkit.cli import group\n"
        "assert CliRunner().invoke(group, ['--help']).exit_code == 0\n"
        "assert group.shell_complete(click.Context(group), 're')\n"
        "print({'perfkit.cli.profile', 'perfkit.cli.report', 'perfkit.rules'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stdout + done.stderr


@pytest.mark.parametrize("name", names("perfkit.cli"))
def test_every_command_shows_examples_with_options_that_it_has(name: str) -> None:
    found = group.get_command(click.Context(group), name)
    assert found is not None and found.help is not None
    _, _, examples = inspect.cleandoc(found.help).partition("\b\nExamples:\n")
    lines = [line.strip() for line in examples.split("\n\n")[0].splitlines()]
    assert lines, "an Examples block in the docstring of the command"
    known = {option for param in found.params for option in (*param.opts, *param.secondary_opts)}
    for line in lines:
        assert f"perfkit {name}" in line
        assert len(line) <= 76
        assert {word for word in line.split() if word.startswith("--") and word != "--"} <= known


@pytest.mark.parametrize(
    ("setting", "coloured"),
    [({}, False), ({"NO_COLOR": "1"}, False), ({"FORCE_COLOR": "1"}, True),
     ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)  # fmt: skip
@pytest.mark.parametrize(
    "arguments", [("report", "old.json", "--format", "terminal"), ("lint", "a.py")]
)
def test_colour_is_off_outside_of_a_terminal_unless_it_is_forced(
    tmp_path: Path, arguments: tuple[str, ...], setting: dict[str, str], coloured: bool
) -> None:
    data = Path(__file__).parents[1] / "data" / "diagnosis_1.json"
    (tmp_path / "old.json").write_bytes(data.read_bytes())
    (tmp_path / "a.py").write_text(
        "import torch\nx = torch.ones(3, device='cuda')\nfor _ in range(9):\n    print(x.sum().item())\n"
    )
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    done = subprocess.run(
        [sys.executable, "-m", "perfkit", *arguments],
        cwd=tmp_path,
        env={**plain, "TERM": "xterm", **setting},
        capture_output=True,
        text=True,
    )
    assert done.stdout and ("\x1b[" in done.stdout) is coloured, done.stderr
