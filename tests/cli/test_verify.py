from __future__ import annotations

import json

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
    assert "holds a int" in str(result.exception)


@pytest.mark.parametrize(
    "arguments", [("--dtype", "int3"), ("--device", "tpu"), ("--case", "x"), ("--form", "x")]
)
def test_what_does_not_exist_is_a_mistake_that_lists_what_does(arguments):
    assert isinstance(run(*arguments).exception, PerfkitError)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_cuda_without_a_device_says_so():
    assert "no CUDA device" in str(run("--device", "cuda").exception)
