"""The sections that only a trace fills: silent without one, exact and harmless with one."""

from __future__ import annotations

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base import plugins
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.run import Run
from perfkit.report import _sections, html
from perfkit.report.blocks import Block, Facts, Grid, Text
from perfkit.rules import _engine, diagnose
from tests.trace_pictures import trace

NAMES = ("step_breakdown", "device_idle", "sync_waits", "kernels")
SECTIONS = plugins.modules(_sections.ROOM)


def _diagnosed(picture: str) -> Diagnosis:
    return diagnose(trace_run(trace(picture), "drawn"), _engine.outcome)


READ = _diagnosed("""
    step  ssssssssss.ssssssssss
    py    pppppppppp.pppppppppp p=train.py(3):~loop
    op    .aaaaaa.....aaaaaa... a=aten::item
    call  l..www.....l..www.... l=cudaLaunchKernel w=cudaStreamSynchronize
    gpu   .kkkkk......kkkkk.... k=void~at::native::gemm<float>
""")
HOSTILE = _diagnosed("""
    step  ssssssss
    op    .aaaaaa. a=</script><img~src=x~onerror=alert(1)>
    call  .l..ww.. l=cudaLaunchKernel w=cudaStreamSynchronize
    gpu   ..kkkk.k k=<b>{{7*7}}</b>
""")


def _block(name: str, diagnosis: Diagnosis) -> Block:
    block = SECTIONS[name].section(diagnosis)
    assert isinstance(block, Block)
    return block


@pytest.mark.parametrize("name", NAMES)
def test_without_a_trace_they_say_nothing(name: str) -> None:
    assert SECTIONS[name].section(diagnose(Run("empty"), _engine.outcome)) is None


@pytest.mark.parametrize("name", NAMES[1:])
def test_without_a_device_they_say_nothing_of_one(name: str) -> None:
    assert SECTIONS[name].section(_diagnosed("op aaa a=aten::mm")) is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("diagnosis", [READ, HOSTILE], ids=["read", "hostile"])
def test_grids_are_in_good_shape(name: str, diagnosis: Diagnosis) -> None:
    for part in _block(name, diagnosis).parts:
        if isinstance(part, Grid):
            assert {len(row) for row in part.rows} <= {len(part.heads)}
            assert all(cell.text for row in part.rows for cell in row)


def test_the_parts_of_the_step_sum_to_it() -> None:
    device, host = _block("step_breakdown", READ).parts
    assert isinstance(device, Grid)
    assert [row[0].text for row in device.rows] == ["compute", "idle"]
    assert [row[2].text for row in device.rows] == ["50%", "50%"]
    assert isinstance(host, Grid)
    assert sum(row[-1].bar or 0 for row in host.rows) == pytest.approx(1)


def test_a_wait_names_its_line_both_costs_and_the_verdict() -> None:
    (grid,) = _block("sync_waits", READ).parts
    assert isinstance(grid, Grid)
    (row,) = grid.rows
    texts = [cell.text for cell in row]
    assert texts == [
        "aten::item", "train.py:3", "cudaStreamSynchronize", "2", "6 µs", "6 µs", "3 µs", "bubble",
    ]  # fmt: skip


def test_of_several_devices_the_one_that_was_waited_for_is_named() -> None:
    (grid,) = _block(
        "sync_waits",
        _diagnosed("""
        step   ssssssssssssssssssss
        op     ..aaaaaaaa.......... a=aten::item
        call   l..Lwwwww.l......... l=cudaLaunchKernel w=cudaStreamSynchronize
        gpu    .kkkkkkkkkkkkkkkkkkk k=gemm
        gpu@1  ....kkkkk...kk...... k=gemm
        """),
    ).parts
    assert isinstance(grid, Grid)
    assert (grid.rows[0][5].text, grid.rows[0][5].detail) == ("3 µs", "of device 1")


def test_a_trace_without_waits_says_so() -> None:
    block = _block("sync_waits", _diagnosed("step ss\ncall l. l=cudaLaunchKernel\ngpu .k k=g"))
    assert isinstance(block.parts[0], Text)


def test_launches_and_kernels() -> None:
    facts, *_, names, ops = _block("kernels", READ).parts
    assert isinstance(facts, Facts)
    assert dict(facts.pairs)["launches per step"] == "1"
    assert isinstance(names, Grid)
    assert names.rows[0][0].text == "gemm<float>"
    assert isinstance(ops, Grid)


def test_names_never_become_markup() -> None:
    page = html.render(HOSTILE)
    assert "<img src=x" not in page
    assert "<b>{{7" not in page
