"""The section on modules: silent without, a tree with, harmless with any name."""

from __future__ import annotations

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.io.redact import Pseudonyms, redact_diagnosis
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.run import Run
from perfkit.report import html
from perfkit.report.blocks import Grid
from perfkit.report.sections.kernel_modules import section
from perfkit.rules import _engine, diagnose
from tests.trace_pictures import trace


def _diagnosed(picture: str) -> Diagnosis:
    return diagnose(trace_run(trace(picture), "drawn"), _engine.outcome)


LAYERS = """
    step  ssssssssssssssssssss
    py    mmmmmmmmmmmmmm...... m=nn.Module:~ZqxNet_0
    py    .aaaaabbbbb......... a=nn.Module:~Layer_0 b=nn.Module:~Layer_1
    py    ......ccc........... c=nn.Module:~Linear_1
    call  ..l....l........l... l=cudaLaunchKernel
    gpu   ...kk...kkkkk....kkk k=gemm
"""


def _rows(diagnosis: Diagnosis) -> list[list[str]]:
    block = section(diagnosis)
    assert block is not None
    (grid,) = block.parts
    assert isinstance(grid, Grid)
    return [[cell.text for cell in row] for row in grid.rows]


@pytest.mark.parametrize(
    "diagnosis", [diagnose(Run("empty"), _engine.outcome), _diagnosed("op aa a=b")]
)
def test_without_modules_it_says_nothing(diagnosis: Diagnosis) -> None:
    assert section(diagnosis) is None


def test_modules_of_one_class_at_one_place_are_one_row() -> None:
    indent = "\N{EM SPACE}"
    assert [(row[0], row[3], row[4]) for row in _rows(_diagnosed(LAYERS))] == [
        ("ZqxNet", "–", "7 µs"),
        (f"{2 * indent}Layer × 2", "2 µs", "7 µs"),
        (f"{4 * indent}Linear", "5 µs", "5 µs"),
        ("(outside of any module)", "3 µs", "3 µs"),
    ]


def test_redacted_modules_keep_their_tree_and_lose_their_names() -> None:
    shared = redact_diagnosis(_diagnosed(LAYERS), Pseudonyms())
    rows = _rows(shared)
    assert "Zqx" not in str(rows)
    assert [row[4] for row in rows] == ["7 µs", "7 µs", "5 µs", "3 µs"]
    assert rows[-1][0] == "(outside of any module)"


def test_names_never_become_markup() -> None:
    hostile = _diagnosed(
        "step ssss\npy mmmm m=nn.Module:~</script><img~src=x>\ncall l... l=cudaLaunchKernel\ngpu .kkk k=g"
    )
    assert "<img" not in html.render(hostile)
