"""`perfkit compare` on captured calls: exit codes, words and rows."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from perfkit.base.errors import PerfkitError
from perfkit.cli._two_functions import Compared
from perfkit.cli.compare import command
from perfkit.rewrites._behaviour import Behaviour
from perfkit.rewrites._inputs_file import save
from perfkit.rewrites._inputs_tree import Packed

SOURCE = """
import torch

def found(x, mask):
    return torch.stack([row[m].sum() for row, m in zip(x, mask)])

def fast(x, mask):
    return torch.where(mask, x, 0).sum(1)

def wrong(x, mask):
    return x.sum(1)

def fails(x, mask):
    raise ValueError("no such width\\nat all")

def writes(x, mask):
    mask.zero_()

def keeps(x, mask):
    pass

def stateful(x, mask, state):
    return x @ state["weight"]
"""


@pytest.fixture
def compare(tmp_path):
    """`compare(before, after, *options)` on one captured call."""
    torch.set_num_threads(1)
    (tmp_path / "both.py").write_text(SOURCE)
    x = torch.arange(8.0).reshape(2, 4).requires_grad_()
    tree = {"args": [x, x.detach() > 2], "kwargs": {}, "state": {"weight": torch.ones(4)}}
    save(tmp_path / "captured" / "found" / "3.safetensors", "found", Packed(tree))

    def run(before, after, *options):
        names = [f"{tmp_path / 'both.py'}:{name}" for name in (before, after)]
        given = [*names, "--inputs", str(tmp_path / "captured"), *options]
        return CliRunner().invoke(command, given)

    return run


def test_the_same_results_end_with_zero_and_a_judgement_of_the_times(compare):
    done = compare("found", "fast", "--rounds", "9")
    assert done.exit_code == 0, done.output
    assert "3.safetensors: exact" in done.output
    assert "9 pairs" in done.output


def test_other_results_end_with_three_and_the_first_element(compare, tmp_path):
    done = compare("found", "wrong", "--rounds", "0", "--json", str(tmp_path / "rows.json"))
    assert done.exit_code == 3
    assert "value: result[0] is 3.0 before and 6.0 after" in done.output
    (row,) = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert (row["verdict"], row["winner"]) == ("different", None)
    assert row["behaviour"]["differences"][0]["index"] == [0]


def test_an_error_from_both_is_not_called_exact(compare):
    done = compare("fails", "fails")
    assert done.exit_code == 3
    assert "not compared: both raise ValueError: no such width\n" in done.output
    assert "exact" not in done.output


def test_a_call_without_tensors_or_results_is_not_called_exact():
    row = Compared(Path("3.safetensors"), (), (), Behaviour((), 0, 0, 0.0), None)
    assert row.verdict(strict=False) == "not compared: nothing was returned" and not row.proves


def test_what_is_written_into_the_arguments_is_something_to_compare(compare):
    done = compare("writes", "writes", "--rounds", "0")
    assert done.exit_code == 0 and ": exact" in done.output
    assert compare("writes", "keeps", "--rounds", "0").exit_code == 3


def test_a_function_that_asks_for_the_modules_state_gets_it(compare):
    assert compare("wrong", "stateful", "--rounds", "0").exit_code == 0


@pytest.mark.parametrize(
    ("name", "sentence"), [("nothing", "has no function nothing"), ("", "names no function")]
)
def test_a_function_that_is_not_there_is_one_sentence(compare, name, sentence):
    error = compare("found", name).exception
    assert isinstance(error, PerfkitError)
    assert sentence in error.message


def test_calls_that_cannot_be_replayed_prove_nothing(compare, tmp_path):
    packed = Packed({"args": [torch.nn.Linear(1, 1)], "kwargs": {}})
    packed.forget_tensors()
    save(tmp_path / "captured" / "found" / "3.safetensors", "found", packed)
    done = compare("found", "fast")
    assert "not replayable" in done.output
    assert isinstance(done.exception, PerfkitError)


def test_a_file_that_fails_to_import_is_one_sentence(tmp_path, compare):
    (tmp_path / "both.py").write_text("1 / 0")
    error = compare("found", "fast").exception
    assert isinstance(error, PerfkitError)
    assert "ZeroDivisionError" in error.message


def test_a_method_gets_the_captured_module_and_what_it_leaves_behind_counts(tmp_path):
    (tmp_path / "net.py").write_text(
        "import torch\n\n\nclass Net(torch.nn.Module):\n"
        "    def forward(self, x):\n        self.last = x.sum()\n        return x @ self.weight\n\n"
        "    def forgetful(self, x):\n        self.last = None\n        return x @ self.weight\n"
    )
    kind = type("Net", (torch.nn.Module,), {"__module__": "net"})
    module = kind()
    module.weight = torch.nn.Parameter(torch.ones(4))
    tree = {"args": [torch.ones(2, 4)], "kwargs": {}, "state": dict(module.named_parameters())}
    packed = Packed({**tree, "self": module}, modules=True)
    save(tmp_path / "3.safetensors", "net.py:Net.forward", packed)
    names = [f"{tmp_path / 'net.py'}:Net.{name}" for name in ("forward", "forgetful")]
    given = ["--inputs", str(tmp_path / "3.safetensors"), "--rounds", "0"]
    same = CliRunner().invoke(command, [names[0], names[0], *given])
    assert same.exit_code == 0 and "1 gradients compared" in same.output, same.output
    assert CliRunner().invoke(command, [*names, *given]).exit_code == 3


def test_a_commit_of_git_is_a_before(compare, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (["init", "-q"], ["add", "both.py"], ["-c", "user.name=a", "-c", "user.email=a@b",
                  "commit", "-qm", "a"]):  # fmt: skip
        subprocess.run(["git", *words], check=True, capture_output=True)
    (tmp_path / "both.py").write_text(
        SOURCE.replace("where(mask, x, 0).sum(1)", "tensor([3.0, 22.0])")
    )
    given = ["both.py:fast", "--inputs", "captured", "--rounds", "0"]
    done = CliRunner().invoke(command, ["HEAD:both.py:fast", *given])
    assert done.exit_code == 3, done.output  # the gradient is gone
    error = CliRunner().invoke(command, ["gone:both.py:fast", *given]).exception
    assert isinstance(error, PerfkitError) and "git has no both.py at gone" in error.message
