from __future__ import annotations

import json
import re

import pytest
import torch
from click.testing import CliRunner

from perfkit.base.errors import PerfkitError
from perfkit.cli.verify import command
from perfkit.rewrites import segment_ids


def run(*arguments):
    return CliRunner().invoke(command, ["segment_ids", "--rounds", "1", *map(str, arguments)])


def test_every_form_is_proven_and_measured_beside_the_found_code():
    result = run("--case", "50 segments")
    assert result.exit_code == 0, result.output
    lines = {line.split()[0]: line for line in result.output.splitlines() if line.strip()}
    assert "as found" in lines["found"]
    assert "chosen, equal" in lines["output_size"]
    assert "equal" in lines["searchsorted"]


def test_your_own_inputs_are_taken_from_a_file(tmp_path):
    mine = tmp_path / "captured.pt"
    torch.save((torch.tensor([0, 3, 3, 4]), 4), mine)
    written = tmp_path / "rows.json"
    result = run("--inputs", mine, "--form", "output_size", "--json", written)
    assert result.exit_code == 0, result.output
    (row,) = json.loads(written.read_text())["rows"]
    assert row["case"] == "your inputs"
    assert row["holds"] is True
    assert row["counts"]["syncs"] == 0


def test_a_proof_that_does_not_hold_ends_with_three(monkeypatch):
    trap = segment_ids.REWRITE.traps[0]
    broken = type(segment_ids.REWRITE)(
        title="broken",
        found=segment_ids.REWRITE.found,
        forms=(trap,),
        cases=segment_ids.REWRITE.cases,
    )
    monkeypatch.setattr(segment_ids, "REWRITE", broken)
    result = run("--case", "2000 segments")
    assert result.exit_code == 3
    assert "does not hold" in result.output


def test_what_the_numbers_are_and_which_form_to_use_is_said_in_words():
    result = run("--case", "50 segments")
    assert result.output.startswith("CPU time per call, on one thread: forward and backward")
    assert "Ratio: time of found over that of the form." in result.output
    (told,) = (line for line in result.output.splitlines() if line.startswith("use "))
    assert re.fullmatch(r"use output_size: [0-9.]+x here.*, 2 → 0 syncs; proven equal", told)


@pytest.mark.parametrize("columns", [80, 120])
def test_long_reasons_stand_below_the_table(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    arguments = ["masked_write", "--case", "half of a million", "--rounds", "1"]
    lines = CliRunner().invoke(command, arguments).output.splitlines()
    assert max(map(len, lines)) <= columns
    assert "  rows: needs a function of whole rows and a capacity" in lines


def test_an_approximate_form_is_not_called_equal(tmp_path):
    arguments = ["mixed_precision_islands", "--rounds", "1"]
    output = CliRunner().invoke(command, arguments).output
    assert "bfloat16: largest error of any token, relative" in output
    assert "; approximate (largest error" in output
    assert "equal" not in output


def captured(tmp_path, inputs):
    torch.save(inputs, tmp_path / "captured.pt")
    return tmp_path / "captured.pt"


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ((torch.tensor([0, 3]),), "1 value: missing a required argument: 'rows'"),
        ({"offsets": torch.tensor([0, 3]), "n": 3}, "a dictionary of offsets, n"),
        (([0, 3], 3), "offsets is a list, not Tensor"),
        ((torch.tensor([0, 3]), 3.5), "rows is a float, not int"),
        ((torch.tensor([0, 3, 2]), 2), "the found code itself raises RuntimeError"),
    ],
)
def test_wrong_inputs_are_told_with_what_to_save(tmp_path, inputs, told):
    error = run("--inputs", captured(tmp_path, inputs)).exception
    assert isinstance(error, PerfkitError)
    assert told in str(error)
    assert "(offsets, rows), in this order or as a dictionary" in str(error)


def test_inputs_of_another_rewrite_are_a_mistake_and_no_traceback(tmp_path):
    mine = captured(tmp_path, (torch.randn(100, 3),))
    error = CliRunner().invoke(command, ["moe_dispatch", "--inputs", str(mine)]).exception
    assert "(x, weights, chosen, experts, [activation])" in str(error)


def test_a_form_that_raises_where_the_found_code_does_not_is_not_equal(tmp_path):
    result = run("--inputs", captured(tmp_path, (torch.tensor([0, 3, 7]), 5)))
    assert result.exit_code == 3
    assert "output_size does not hold on your inputs: raises RuntimeError" in result.output


def test_inputs_keep_their_own_dtype(tmp_path):
    x = torch.randn(4, 5, dtype=torch.bfloat16)
    mine = captured(tmp_path, {"x": x, "mask": x > 0})
    arguments = ["masked_mean", "--inputs", str(mine), "--rounds", "1"]
    assert "forward and backward, bfloat16" in CliRunner().invoke(command, arguments).output


DRAFTER = """
from perfkit.rewrites.branch_drafting._decoder import drawn_decoder
import torch
def inputs():
    return drawn_decoder(20, 8, 1, 2, 30, 0), torch.tensor([[1, 2, 3]]), 2, 3
"""


def drafting(tmp_path, text, name="mine.py"):
    (tmp_path / name).write_text(text)
    arguments = ["branch_drafting", "--inputs", str(tmp_path / name), "--rounds", "1"]
    return CliRunner().invoke(command, arguments)


def test_what_no_file_can_hold_comes_from_python(tmp_path):
    result = drafting(tmp_path, DRAFTER)
    assert result.exit_code == 0, result.output
    assert "proven equal" in result.output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "KeyError: 'inputs'"),
        ("def inputs():\n    return 1 / 0", "mine.py:2 raises ZeroDivisionError"),
        ("def inputs(:", "SyntaxError"),
        ("def inputs():\n    return (1,)", "missing a required argument: 'prompt'"),
        ("def inputs():\n    return 1, 2, 3, 4", "the found code itself raises AttributeError"),
    ],
)
def test_python_that_gives_no_inputs_is_told(tmp_path, text, told):
    error = drafting(tmp_path, text).exception
    assert isinstance(error, PerfkitError)
    assert told in str(error)


def test_a_file_of_classes_says_which_and_what_can_be_saved(tmp_path):
    mine = captured(tmp_path, (slice(1), 2))
    error = run("--inputs", mine).exception
    assert isinstance(error, PerfkitError)
    assert "slice" in str(error)
    assert "tensors, numbers, text" in str(error)


@pytest.mark.parametrize(
    "content", [b"", b"no tensors", b"PK\x03\x04 half a zip"], ids=["empty", "text", "cut"]
)
def test_a_file_without_tensors_is_told_in_one_sentence(tmp_path, content):
    bad = tmp_path / "bad.pt"
    bad.write_bytes(content)
    result = run("--inputs", bad)
    assert isinstance(result.exception, PerfkitError)
    assert "torch.save" in str(result.exception)


def test_a_file_with_something_else_says_what_is_wanted(tmp_path):
    bad = tmp_path / "number.pt"
    torch.save(7, bad)
    result = run("--inputs", bad)
    assert isinstance(result.exception, PerfkitError)
    assert "holds an int" in str(result.exception)


@pytest.mark.parametrize(
    "arguments", [("--dtype", "int3"), ("--device", "tpu"), ("--case", "x"), ("--form", "x")]
)
def test_what_does_not_exist_is_a_mistake_that_lists_what_does(arguments):
    assert isinstance(run(*arguments).exception, PerfkitError)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_cuda_without_a_device_says_so():
    assert "no CUDA device" in str(run("--device", "cuda").exception)


def test_captured_calls_are_inputs_one_by_one_and_as_a_folder(tmp_path):
    from perfkit.rewrites._inputs_file import save
    from perfkit.rewrites._inputs_tree import Packed

    for step, kwargs in ((3, {}), (4, {"rows": 4})):
        args = [torch.tensor([0, 3, 3, 4])] + [4] * (not kwargs)
        path = tmp_path / "captured" / f"{step}.safetensors"
        save(path, "ids", Packed({"args": args, "kwargs": kwargs}))
    result = run("--inputs", tmp_path / "captured", "--form", "output_size")
    assert result.exit_code == 0, result.output
    assert result.output.count("chosen, equal") == 2


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ({"args": [], "kwargs": {"nothing": 1}}, "not those of this rewrite"),
        ({"args": [torch.nn.Linear(1, 1)], "kwargs": {}}, "cannot be replayed"),
    ],
)
def test_captured_calls_of_another_function_are_one_sentence(tmp_path, tree, sentence):
    from perfkit.rewrites._inputs_file import save
    from perfkit.rewrites._inputs_tree import Packed

    packed = Packed(tree)
    save(tmp_path / "1.safetensors", "other", packed)
    error = run("--inputs", tmp_path / "1.safetensors").exception
    assert isinstance(error, PerfkitError) and sentence in error.message
