"""Commands that are shown must be commands that exist."""

from __future__ import annotations

import shlex

import click
import pytest

from perfkit.cli.profile import command as profile
from perfkit.remedies import _commands


def test_the_options_with_values_are_those_of_the_command() -> None:
    options = [o for o in profile.params if isinstance(o, click.Option) and not o.is_flag]
    valued = {name for option in options for name in option.opts} - {"-m"}
    assert valued == _commands._VALUED


@pytest.mark.parametrize("command", ["unknown", "python train.py", "perfkit profile", "'"])
def test_a_run_that_was_not_made_by_profile_cannot_be_made_again(command: str) -> None:
    assert _commands.again(command) is None
    assert _commands.capture(command, ["f"], "r") is None


def test_where_results_went_is_forgotten_and_the_program_keeps_its_own_options() -> None:
    command = "perfkit profile --out a --report=b.html -q --steps 5 train.py --out c -q"
    assert _commands.again(command) == "perfkit profile --steps 5 train.py --out c -q"
    assert _commands.again("perfkit profile --json -m m --out c") == "perfkit profile -m m --out c"


def test_hostile_names_stay_one_word() -> None:
    shown = _commands.fix(["one"], True, "$(rm -rf x).py:3")
    assert shlex.split(shown)[-1] == "$(rm -rf x).py:3" and "'" in shown
