from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from perfkit.base import plugins
from perfkit.cli import group
from perfkit.cli._command_reference import described, exit_codes, markdown
from perfkit.cli.docs import command, reference

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "docs" / "commands.md"


def test_it_runs_without_torch_pandas_and_plotly():
    program = (
        "import sys\n"
        "from perfkit.cli.docs import reference\n"
        "reference()\n"
        "print([m for m in ('torch', 'pandas', 'plotly') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_the_committed_command_reference_is_that_of_the_commands(request):
    text = markdown(described(group), exit_codes(group))
    if request.config.getoption("--update-goldens"):
        COMMITTED.write_text(text, encoding="utf-8")
    assert COMMITTED.read_text(encoding="utf-8") == text, (
        "perfkit docs --commands --out docs/commands.md"
    )


def test_the_readme_names_no_command_that_is_not_there():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|\$ )perfkit ([a-z]\w+)", readme, flags=re.M))
    assert len(named) > 10
    assert named <= set(plugins.names("perfkit.cli"))


def test_every_command_with_every_option_is_on_the_page_and_in_the_reference():
    page, text = reference(), markdown(described(group), exit_codes(group))
    assert {each.name.split()[0] for each in described(group)} == set(plugins.names("perfkit.cli"))
    for each in described(group):
        assert f'id="command-{each.name}"' in page and f"## perfkit {each.name}\n" in text
        assert each.title.endswith("."), each.name
    for name, option in _options():
        assert option in page and option in text, name


def test_exit_codes_are_those_that_help_tells():
    codes = dict(exit_codes(group))
    assert {"0", "1", "2", "3"} <= set(codes)
    assert all(meaning in (group.epilog or "") for meaning in codes.values())
    assert all(meaning in reference() for meaning in codes.values())


def test_every_option_says_what_it_does():
    silent = [
        f"{name} {param.opts[0]}"
        for name in plugins.names("perfkit.cli")
        for param in plugins.module("perfkit.cli", name).command.params
        if isinstance(param, click.Option) and not (param.help or param.hidden)
    ]
    assert silent == []


def test_examples_are_kept_line_by_line():
    @click.command()
    @click.option("--deep/--flat", default=True, help="How | far.")
    def dig() -> None:
        """Dig.

        Every
        word flows.

        \b
        Examples:
          dig --deep
          dig --flat
        """

    made = described(click.Group("perfkit", commands={"dig": dig}))
    assert [each.name for each in made] == ["dig"]
    text = markdown(made, [])
    assert "\nEvery word flows.\n\nExamples:\n\n```\ndig --deep\ndig --flat\n```\n" in text
    assert "| `--deep / --flat` | How \\| far." in text


def test_commands_inside_of_commands_go_by_their_whole_name_and_hidden_ones_do_not():
    inner = click.Group("outer", commands={"inner": click.Command("inner", help="In.")})
    secret = click.Command("secret", help="No.", hidden=True)
    made = described(click.Group("perfkit", commands={"outer": inner, "secret": secret}))
    assert [each.name for each in made] == ["outer inner"]


def test_the_page_goes_where_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(command, []).output
    assert told.startswith("reports/reference.html  ")
    assert (tmp_path / "reports/reference.html").read_text().startswith("<!doctype html>")
    assert CliRunner().invoke(command, ["--commands", "--out", "c.md"]).output == ""
    assert (tmp_path / "c.md").read_text().startswith("# Commands\n")


def _options() -> Iterator[tuple[str, str]]:
    for name in plugins.names("perfkit.cli"):
        for param in plugins.module("perfkit.cli", name).command.params:
            if isinstance(param, click.Option) and not param.hidden:
                yield f"{name} {param.opts[0]}", param.opts[0]
