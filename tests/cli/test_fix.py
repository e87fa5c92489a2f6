from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from perfkit.base.errors import PerfkitError
from perfkit.cli._found_functions import module_of
from perfkit.cli.fix import command
from perfkit.fixes._apply import Outcome

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


PROGRAM = """import torch
import torch.nn.functional as F


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, x):
        half = torch.tensor(0.5, device=x.device)
        return x * self.scale * half, F.one_hot(x.long())


other = torch.tensor(0.25, device="cuda")
"""


@pytest.fixture
def net(file: Path) -> Path:
    """The program, and a captured call of its module's forward under run/."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    from perfkit.rewrites._inputs_file import save
    from perfkit.rewrites._inputs_tree import Packed

    class Net(torch.nn.Module):
        pass

    Net.__module__, Net.__qualname__ = "net", "Net"
    module = Net()
    module.scale = torch.nn.Parameter(torch.ones(()))
    tree = {"args": [torch.arange(3.0)], "kwargs": {}, "state": {"scale": module.scale}}
    packed = Packed({**tree, "self": module}, modules=True)
    save(file.parent / "run/captured/net/3.safetensors", "net.py:Net.forward", packed)
    path = file.with_name("net.py")
    path.write_text(PROGRAM.replace("other =", "other = None and"))
    return path


def _with(path: Path, outcome: Outcome, old: bytes, new: bytes) -> tuple[ModuleType, ModuleType]:
    """The modules before and after a fix that goes wrong."""
    after = outcome.after.replace(old, new)
    return module_of(path, outcome.before), module_of(path, after)


def _fix(*options: str):
    return CliRunner().invoke(command, list(options), standalone_mode=False)


def test_a_line_behind_a_file_is_one_place(net: Path) -> None:
    result = _fix("net.py:11")
    assert result.stdout.count("\n+") == 2 and "torch.full((), 0.5" in result.stdout
    assert _fix("net.py:12").stdout == ""
    assert isinstance(_fix("gone.py:12").exception, PerfkitError)


def test_a_file_that_is_named_so_is_a_file(file: Path) -> None:
    odd = file.with_name("a.py:1")
    odd.write_text("import torch\n\nx = torch.tensor(0.5, device=d)\n")
    assert "+x = torch.full" in _fix("a.py:1").stdout


def test_what_proves_equal_is_written(net: Path) -> None:
    result = _fix("--write", "--verify", "run", "net.py:11")
    assert result.return_value == 0, result.stderr
    assert "net.py:Net.forward on 3.safetensors: exact" in result.stderr
    assert "torch.full((), 0.5" in net.read_text()


def test_what_differs_is_not_written(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from perfkit.cli import _fix_verified

    monkeypatch.setattr(
        _fix_verified, "_modules", lambda path, outcome: _with(path, outcome, b"0.5", b"0.6")
    )
    result = _fix("--write", "--verify", "run", "net.py:11")
    assert result.return_value == 3
    assert "different" in result.stderr and "would change 1 place" in result.stderr
    assert net.read_text().count("torch.full") == 0


def test_nothing_captured_of_the_function_is_told_with_the_command(net: Path) -> None:
    error = _fix("--verify", "run", "--select", "full_scalar", "train.py").exception
    assert isinstance(error, PerfkitError) and "holds no calls of what changes" in error.message
    net.rename(net.with_name("elsewhere.py"))
    error = _fix("--verify", "run", "elsewhere.py:11").exception
    assert isinstance(error, PerfkitError)
    assert "--capture-inputs elsewhere.py:Net.forward" in error.hint


def test_writing_names_the_command_that_checks_it(net: Path) -> None:
    result = _fix("--write", "net.py:11")
    assert (
        "check it: perfkit compare HEAD:net.py:Net.forward net.py:Net.forward --inputs RUN/captured"
        in result.stderr
    )


@pytest.mark.parametrize("widths", [(3,), (3, 4)])
def test_what_a_run_saw_is_told_and_not_filled_in(net: Path, widths: tuple[int, ...]) -> None:
    from perfkit.io.rundir import save
    from perfkit.model.costs import OpCost
    from perfkit.model.run import Run, Step
    from perfkit.model.syncs import Frame

    place = Frame(str(net.resolve()), 12, "Net.forward")
    rows = tuple(OpCost("aten::scatter_", f"i64[3,{w}] x i64[3,1]", 1, place=place) for w in widths)
    steps = (Step(0, "deep", 0, 10),)
    save(Run("seen", steps=steps, costs=rows, costed_steps=1), net.parent / "seen")
    result = _fix("--unsafe", "--run", "seen", "net.py:12")
    told = "3" if len(widths) == 1 else "3 to 4"
    assert result.stdout == "" and f"left as it is: the run saw classes: {told}" in result.stderr
    net.write_text(net.read_text() + "\n")
    import os

    os.utime(net, (2e10, 2e10))
    result = _fix("--unsafe", "--run", "seen", "net.py:12")
    assert result.stdout == "" and "changed after the run began" in result.stderr
