"""Costs on disk."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from perfkit.io import rundir
from perfkit.io.costs import FILE, read_costs, write_costs
from perfkit.model.costs import OpCost
from perfkit.model.run import Run
from perfkit.model.syncs import Frame

COSTS = (
    OpCost("aten::mm", "f32[2,3] x f32[3,4]", 2, 48, 144, 64, "matmul", "float32", host_ns=9,
           phase="forward", module="M.up", region="loss", place=Frame("/p/a.py", 3, "forward")),
    OpCost("x::odd", "", 1, unknown="no cost model for x::odd"),
    OpCost("aten::add", "f32[2]", 1, 2, 8, 8, dtype="float32", device_ns=5, kernels=1,
           recomputed=True),
)  # fmt: skip


def test_rows_come_back_as_they_were(tmp_path):
    write_costs(tmp_path / FILE, COSTS)
    assert read_costs(tmp_path / FILE) == COSTS


def test_a_file_that_does_not_tell_what_was_recomputed_opens(tmp_path):
    write_costs(tmp_path / FILE, COSTS)
    table = pq.read_table(tmp_path / FILE).drop_columns(["recomputed"])
    pq.write_table(table, tmp_path / FILE)
    assert not any(cost.recomputed for cost in read_costs(tmp_path / FILE))


def test_what_is_not_known_comes_back_as_none_and_not_as_zero(tmp_path):
    write_costs(tmp_path / FILE, COSTS)
    odd = read_costs(tmp_path / FILE)[1]
    assert (odd.flops, odd.nbytes, odd.host_ns, odd.place) == (None, None, None, None)


def test_text_that_is_no_unicode_is_written_with_escapes(tmp_path):
    write_costs(tmp_path / FILE, (OpCost("a::b", "\ud800", 1, module="\x00<b>"),))
    (row,) = read_costs(tmp_path / FILE)
    assert (row.signature, row.module) == ("\\ud800", "\x00<b>")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all"])
def test_a_damaged_file_is_one_clear_error(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises((ValueError, OSError)):
        read_costs(tmp_path / FILE)


def test_every_cut_of_a_file_is_a_clear_error(tmp_path):
    write_costs(tmp_path / FILE, COSTS)
    whole = (tmp_path / FILE).read_bytes()
    for length in range(0, len(whole), 97):
        (tmp_path / FILE).write_bytes(whole[:length])
        with pytest.raises((ValueError, OSError)):
            read_costs(tmp_path / FILE)


def test_a_run_opens_with_its_costs(tmp_path):
    saved = rundir.save(Run("r", costs=COSTS, costed_steps=1), tmp_path / "r")
    assert rundir.load(tmp_path / "r") == saved
    assert "costs" not in json.loads((tmp_path / "r" / "run.json").read_text())


def test_an_old_run_has_none_and_no_gap(tmp_path):
    rundir.save(Run("r"), tmp_path / "r")
    assert not (tmp_path / "r" / FILE).exists()
    opened = rundir.load(tmp_path / "r")
    assert (opened.costs, opened.gaps) == ((), ())


@pytest.mark.parametrize("content", [None, b"rubbish"])
def test_a_missing_or_damaged_file_is_a_gap(tmp_path, content):
    rundir.save(Run("r", costs=COSTS, costed_steps=1), tmp_path / "r")
    (tmp_path / "r" / FILE).unlink()
    if content is not None:
        (tmp_path / "r" / FILE).write_bytes(content)
    opened = rundir.load(tmp_path / "r")
    assert opened.costs == ()
    assert [gap.what for gap in opened.gaps] == ["the costs of operators"]
