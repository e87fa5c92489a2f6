"""Which steps a trace has, by every way of finding them."""

from __future__ import annotations

import pytest

from perfkit.analysis.trace_steps import trace_steps
from tests.trace_pictures import US, trace


def _lengths(picture: str) -> tuple[str, list[int]]:
    steps = trace_steps(trace(picture))
    steps.self_check()
    return steps.how, [(w.end_ns - w.start_ns) // US for w in steps.windows]


def test_an_empty_trace_has_no_step() -> None:
    steps = trace_steps(trace("over aa a=Buffer~Flush"))
    assert steps.windows == ()
    assert steps.reason


def test_marks_win() -> None:
    assert _lengths("""
        step  sssss.sssss
        note  tt.tt.tt.tt t=train
        op    aa.aa.aa.aa a=aten::mm
    """) == ("marked", [5, 5])


def test_an_annotation_that_repeats_and_covers_most() -> None:
    assert _lengths("""
        note  tttt.tttt.tttt t=train
        op    .aa..aa...aa.. a=aten::mm
    """) == ("annotation", [4, 4, 4])


def test_an_annotation_that_covers_little_is_no_step() -> None:
    how, _ = _lengths("""
        note  t.........t t=log
        op    .aaaaaaaaa. a=aten::mm
    """)
    assert how == "whole"


def test_torchs_own_annotations_are_no_steps_of_the_user() -> None:
    how, _ = _lengths("""
        note  nnn.nnn n=nccl:all_reduce
        op    aaaaaaa a=aten::mm
    """)
    assert how == "whole"


def test_one_annotation_around_everything_is_one_step() -> None:
    assert _lengths("""
        note  .tttttttt.. t=generate
        op    ..aa..aa... a=aten::mm
    """) == ("annotation", [8])


def test_an_optimizer_ends_steps() -> None:
    assert _lengths("""
        note  ...oo...oo o=Optimizer.step#SGD.step
        op    aaa..aaa.. a=aten::mm
    """) == ("loop", [5, 5])


def test_a_loader_begins_them() -> None:
    assert _lengths("""
        note  dd...dd... d=enumerate(DataLoader)#It.__next__
        op    ..aaa..aaa a=aten::mm
    """) == ("loop", [5, 5])


def test_a_sequence_that_repeats_is_a_step() -> None:
    once = "abcdefgh"
    names = " ".join(f"{letter}=aten::{letter}{letter}" for letter in once)
    assert _lengths(f"op {once * 3} {names}") == ("repetition", [8, 8, 8])


def test_what_does_not_repeat_is_one_window() -> None:
    assert _lengths("op aabbcc a=aten::mm b=aten::add c=aten::mul") == ("whole", [6])


def test_a_single_step_ends_with_its_device_work() -> None:
    assert _lengths("""
        step  sssss.....
        call  .l........ l=cudaLaunchKernel
        gpu   ...kkkkkk. k=gemm
    """) == ("marked", [9])


def test_moments_find_their_step() -> None:
    import numpy as np

    steps = trace_steps(trace("step sss..sss"))
    at = steps.starts[0] + np.array([-1, 0, 2 * US, 3 * US, 5 * US, 8 * US])
    assert steps.index_of(at).tolist() == [-1, 0, 0, -1, 1, -1]


@pytest.mark.parametrize("count", [1, 2, 15])
def test_too_few_launches_are_no_repetition(count: int) -> None:
    how, _ = _lengths("op " + "ab" * count + " a=aten::mm b=aten::add")
    assert how == "whole"
