from __future__ import annotations

import subprocess
import sys

from click.testing import CliRunner

from perfkit.base.errors import PerfkitError
from perfkit.cli.rewrites import command, reflowed


def test_help_needs_no_torch() -> None:
    program = "import sys; import perfkit.cli.rewrites; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_the_list_names_every_rewrite_with_its_title() -> None:
    result = CliRunner().invoke(command)
    assert result.exit_code == 0, result.output
    assert "segment_ids" in result.output
    assert "repeat_interleave" in result.output


def test_a_page_says_when_not_and_how_to_call_it() -> None:
    result = CliRunner().invoke(command, ["segment_ids"])
    assert "When it wins, and when not" in result.output
    assert "from perfkit.rewrites.segment_ids import segment_ids" in result.output
    assert "trap" in result.output
    assert "segment_ids(offsets, rows)" in result.output


def test_defaults_are_shown_as_they_stand_in_the_source() -> None:
    assert "activation=relu, form=''" in CliRunner().invoke(command, ["moe_dispatch"]).output
    assert "policy=IdPolicy.CLAMP" in CliRunner().invoke(command, ["fused_embedding"]).output


def test_paragraphs_are_filled_anew_on_a_narrow_terminal_only() -> None:
    text = "A title.\n\nHeading\n    one two three four\n    five six\n\nNext\n    seven"
    assert reflowed(text, 80) == text
    narrow = "A title.\n\nHeading\n    one two three\n    four five six\n\nNext\n    seven"
    assert reflowed(text, 17) != text
    assert max(map(len, reflowed(text * 3, 40).splitlines())) <= 40
    assert reflowed("    " + "a b " * 30, 40).splitlines()[1].startswith("    a b")
    assert narrow.split() == reflowed(text, 17).split()


def test_an_unknown_id_lists_those_there_are() -> None:
    result = CliRunner().invoke(command, ["segment_idz"])
    assert isinstance(result.exception, PerfkitError)
    assert "segment_ids" in str(result.exception)
