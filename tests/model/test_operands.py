"""What operands were like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from perfkit.io import rundir
from perfkit.io._pseudonyms import Pseudonyms
from perfkit.io.redact import redact_run
from perfkit.model.operands import Operands
from perfkit.model.run import Run
from perfkit.model.syncs import Frame

MASK = Operands("mask", "aten::_softmax", (4, 16, 16), "causal", 2, looked=512, part=128)


def test_a_share_of_nothing_is_not_zero() -> None:
    assert replace(MASK, looked=0, part=0).share is None
    assert MASK.share == 0.25


def test_they_survive_a_run_on_disk_and_not_looking_is_not_seeing_nothing(tmp_path: Path) -> None:
    rows = (replace(MASK, place=Frame("/p/model.py", 7, "forward"), padded=0.5),)
    for name, operands in (("some", rows), ("none seen", ()), ("nobody looked", None)):
        rundir.save(Run(name, operands=operands), tmp_path / name)
        assert rundir.load(tmp_path / name).operands == operands


def test_redaction_takes_the_names_of_the_program_and_leaves_the_facts() -> None:
    secret = replace(MASK, module="Zyxq.layers", place=Frame("/zyxq/zyxq.py", 7, "zyxq"))
    (row,) = redact_run(Run("r", operands=(secret,)), Pseudonyms()).operands or ()
    assert "zyxq" not in repr(row).lower()
    assert (row.what, row.shape, row.op) == (MASK.what, MASK.shape, MASK.op)
    assert redact_run(Run("r"), Pseudonyms()).operands is None
