from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from perfkit.base import plugins
from perfkit.base.errors import PerfkitError
from perfkit.cli.explain import command
from perfkit.remedies.pages import all_pages


def explain(*arguments: str):
    return CliRunner().invoke(command, list(arguments))


def test_it_runs_without_torch_numpy_and_pandas():
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from perfkit.cli.explain import command\n"
        "for name in ([], ['PK101'], ['nonzero'], ['moe_dispatch'], ['host-wait-in-step']):\n"
        "    assert CliRunner().invoke(command, name).exit_code == 0, name\n"
        "print([m for m in ('torch', 'numpy', 'pandas') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.parametrize("name", ["PK101", "pk101", "item_call", "item-call"])
def test_a_check_by_code_and_by_name(name):
    result = explain(name)
    assert result.output.startswith("PK101 item_call: check of perfkit lint\n")
    assert "**When not to act**" in result.output


def test_what_lint_says_of_files_and_comments():
    assert explain("PK901").output.startswith("PK901: check of perfkit lint\n\nA comment")


def test_a_kind_a_rule_and_a_rewrite():
    assert "**Looks alike, does not**" in explain("repeat_interleave").output
    assert explain("host-wait-in-step").output.startswith("host-wait-in-step: rule\n")
    assert "perfkit verify moe_dispatch" in explain("moe_dispatch").output


def test_an_unknown_name_is_answered_with_the_nearest():
    result = explain("repeat_interleaf")
    assert isinstance(result.exception, PerfkitError)
    assert "did you mean repeat_interleave" in str(result.exception)


@pytest.mark.parametrize("room", ["lint", "catalogue", "rules", "rewrites", "fixes"])
def test_every_page_of_a_room_is_there(room):
    found = {page.names[0] for page in all_pages() if page.room == room and page.text} - {""}
    assert found == set(plugins.names(f"perfkit.{room}"))


def test_the_list_names_codes_and_rules_as_they_are_printed():
    listed = explain().output
    for word in ("PK101", "PK205", "host-wait-in-step", "repeat_interleave", "moe_dispatch"):
        assert f"  {word} " in listed
