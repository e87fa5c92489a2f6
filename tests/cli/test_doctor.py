from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from perfkit.capture import doctor
from perfkit.capture.doctor import Check
from perfkit.cli.doctor import command


def test_help_needs_no_torch() -> None:
    program = (
        "import sys; import perfkit.cli.doctor, perfkit.cli.view; assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_missing_things_are_no_failure(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "What a profile will show here" in result.output


def test_json_is_the_only_output(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--json", "--out", str(tmp_path)])
    answer = json.loads(result.stdout)
    assert answer["schema"] == "perfkit.doctor/1"
    assert {"name", "state", "detail", "advice"} == set(answer["checks"][0])
    assert {"what", "here", "why"} == set(answer["observable"][0])


@pytest.mark.parametrize(
    ("state", "code"), [("ok", 0), ("limited", 0), ("missing", 3), ("broken", 3)]
)
def test_strict_fails_on_what_is_missing_or_broken(
    monkeypatch: pytest.MonkeyPatch, state: str, code: int
) -> None:
    only = (Check("cuda", state, "[bold]as told[/bold]"),)  # type: ignore[arg-type]
    monkeypatch.setattr(doctor, "examine", lambda folder: only)
    result = CliRunner().invoke(command, ["--strict"])
    assert result.exit_code == code
    assert "[bold]as told[/bold]" in result.output
