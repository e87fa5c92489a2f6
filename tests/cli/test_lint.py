from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from perfkit.base.errors import PerfkitError
from perfkit.cli.lint import command

CLEAN = "import torch\n\n\ndef f(x: torch.Tensor):\n    return x.sum()\n"
SLOW = "import torch\n\n\ndef f(x: torch.Tensor):\n    return x.sum().item()\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()  # settings of the folders above do not count
    return tmp_path


def lint(*arguments: str):
    return CliRunner().invoke(command, list(arguments))


def test_it_runs_without_torch_numpy_and_pandas(folder):
    (folder / "slow.py").write_text(SLOW)
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from perfkit.cli.lint import command\n"
        "for style in ('text', 'json', 'sarif', 'github'):\n"
        "    assert CliRunner().invoke(command, ['slow.py', '--format', style]).exit_code == 3\n"
        "print([m for m in ('torch', 'numpy', 'pandas') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_nothing_found_is_exit_code_0(folder):
    (folder / "clean.py").write_text(CLEAN)
    result = lint()
    assert (result.exit_code, result.output) == (0, "nothing found in 1 file, 6 lines\n")


def test_findings_are_a_gate_that_did_not_hold(folder):
    (folder / "slow.py").write_text(SLOW)
    result = lint("slow.py")
    assert result.exit_code == 3
    assert result.output.startswith("slow.py:5:12: PK101 `x.sum().item()` makes the host wait")
    assert lint("slow.py", "--exit-zero").exit_code == 0


def test_select_ignore_and_exclude(folder):
    (folder / "slow.py").write_text(SLOW)
    assert lint("--select", "PK2").exit_code == 0
    assert lint("--ignore", "PK101,PK102").exit_code == 0
    assert lint("--exclude", "sl*").exit_code == 0


def test_settings_of_the_project_count(folder):
    (folder / "slow.py").write_text(SLOW)
    (folder / "setup.cfg").write_text("[perfkit:lint]\nignore = PK101\n")
    assert lint().exit_code == 0


def test_machine_formats_print_nothing_else(folder):
    (folder / "slow.py").write_text(SLOW)
    assert json.loads(lint("--format", "json").output)["summary"]["findings"] == 1
    assert json.loads(lint("--format", "sarif").output)["version"] == "2.1.0"
    assert lint("--format", "github").output.startswith("::warning file=slow.py,line=5,")


@pytest.mark.parametrize(
    ("arguments", "says"), [(("absent.py",), "absent.py"), (("--select", "XY1"), "XY1")]
)
def test_mistakes_are_told_in_one_sentence(folder, arguments, says):
    (folder / "slow.py").write_text(SLOW)
    result = lint(*arguments)
    assert isinstance(result.exception, PerfkitError)
    assert says in str(result.exception)
