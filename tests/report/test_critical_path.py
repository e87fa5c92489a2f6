"""The critical-path section: silent without a path, and its parts are the whole step."""

from __future__ import annotations

import pytest

from perfkit.analysis.critical_path import CLASSES
from perfkit.analysis.trace_run import trace_run
from perfkit.model.diagnosis import Coverage, Diagnosis, Verdict
from perfkit.report.blocks import Facts, Figure, Grid
from perfkit.report.sections import critical_path
from perfkit.report.sections._kernel_names import plain_name
from perfkit.rules import _engine, diagnose
from tests.trace_pictures import trace

BARE = Diagnosis("bare", Verdict("a", "b", "c"), Coverage(0, "nothing"))


def told() -> Diagnosis:
    picture = """
        step  ssssssssssssssssssssssss
        py    pppppppppppppppppppppppp p=train.py(3):~loop
        op    .aaaaaa................. a=aten::item
        call  l..wwww.....l..wwww..... l=cudaLaunchKernel w=cudaStreamSynchronize
        gpu   .kkkkk.......kkkkk...... k=void~at::native::gemm<float>
    """
    return diagnose(trace_run(trace(picture), "drawn"), _engine.outcome)


def test_without_a_path_there_is_no_section() -> None:
    assert critical_path.section(BARE) is None


def test_every_class_has_words_and_a_side() -> None:
    sides = [name for names in critical_path._SIDES.values() for name in names]
    assert sorted(sides) == sorted(CLASSES) == sorted(critical_path._CLASSES)


def test_the_parts_of_the_path_are_the_whole_step() -> None:
    block = critical_path.section(told())
    assert block is not None
    figure, classes, facts, longest = block.parts
    assert isinstance(figure, Figure)
    assert sum(bar["x"][0] for bar in figure.spec["data"]) == pytest.approx(0.024)
    assert isinstance(classes, Grid)
    assert sum(row[-1].bar or 0 for row in classes.rows) == pytest.approx(1)
    assert isinstance(facts, Facts)
    assert facts.pairs[-1] == ("read from", "the only step")
    assert isinstance(longest, Grid)
    kernel = next(row for row in longest.rows if row[0].text == "kernel")
    assert (kernel[1].text, kernel[1].hint) == ("gemm<float>", "void at::native::gemm<float>")
    assert kernel[3].text == "train.py:3"


def test_long_names_keep_their_beginning_and_their_end() -> None:
    assert plain_name("void at::native::(anonymous namespace)::softmax(int)") == "softmax(int)"
    assert plain_name("a" * 50 + "_tail", 20) == "a" * 13 + "…a_tail"
    assert plain_name("void ") == "–"
