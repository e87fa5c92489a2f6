"""What was compiled, by code object: nobody's word for nothing, then counts, guards and breaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from perfkit.analysis.compile_record import (
    broken_lines,
    compile_table,
    compiled_code,
    compiler_record,
    guard,
)
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.compiler import Compilation, CompilerRecord, GraphBreak
from perfkit.model.run import Gap, Run
from perfkit.model.syncs import Frame
from tests.draw import draw
from tests.trace_pictures import trace

PLACE = Frame("/me/model.py", 7, "forward")
REST = Frame("/me/model.py", 9, "torch_dynamo_resume_in_forward_at_9")


def run(*made: Compilation, breaks: tuple[GraphBreak, ...] = (), **changes: Any) -> Run:
    """Steps 0 and 1 warm up, 2 to 4 are bare, 5 is deep."""
    drawn = draw("step  w.w.b.b.b.d", device="cpu")
    return replace(drawn, compiler=CompilerRecord(made, breaks), **changes)


def test_nothing_compiled_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="compiles nothing"):
        compiler_record(run())
    with pytest.raises(NotApplicable, match="compiles nothing"):
        compiler_record(draw("step  bbb.d", device="pretend-cuda"))


def test_the_pretence_hides_what_the_compiler_would_do_and_says_what_shows_it() -> None:
    hidden = draw("step  bbb.d", device="pretend-cuda", gaps=(Gap("torch.compile", "eagerly"),))
    with pytest.raises(NotObservable, match="--device cpu"):
        compiler_record(hidden)


def test_an_old_run_does_not_know() -> None:
    with pytest.raises(NotObservable, match="not recorded"):
        compiler_record(draw("step  bbb.d", device="cpu"))


def test_a_foreign_trace_shows_compiled_code_or_none() -> None:
    plain = Run("t", source="trace", events=trace("op aaa a=aten::mm"))
    with pytest.raises(NotApplicable, match="no compiled code"):
        compiler_record(plain)
    regions = trace("op aaa a=Torch-Compiled_Region:_0/0")
    names = ("Torch-Compiled Region: 0/0",)
    with pytest.raises(NotObservable, match="not recorded"):
        compiler_record(replace(plain, events=replace(regions, names=names)))


def test_versions_made_while_it_warmed_up_or_in_deep_steps_are_not_late() -> None:
    (code,) = compiled_code(
        run(Compilation("4/0", PLACE, None, 9, 0), Compilation("4/1", PLACE, 1, 9, 1))
    )
    assert (len(code.versions), code.late, code.late_ns, code.ns) == (2, 0, 0, 18)


def test_a_first_version_in_a_bare_step_is_no_second_one() -> None:
    (code,) = compiled_code(run(Compilation("4/0", PLACE, 2, 9, 0)))
    assert code.late == 0


def test_late_versions_backward_halves_and_refusals() -> None:
    (code,) = compiled_code(
        run(
            Compilation("4/0", PLACE, 0, 10, 0),
            Compilation("4/0", PLACE, 0, 5, None, backward=True),
            Compilation("4/1", PLACE, 3, 20, 1, "4/0: L['n'] == 1   # return n"),
            Compilation("4/2", PLACE, 4, None, None, failed="recompile limit reached"),
        )
    )
    assert (len(code.versions), code.ns, code.late, code.late_ns) == (2, 35, 1, 20)
    assert code.refused == "recompile limit reached"
    assert [(g.kind, g.argument, g.text) for g in code.guards] == [("value", "n", "L['n'] == 1")]


def test_unknown_times_stay_unknown() -> None:
    (code,) = compiled_code(run(Compilation("4/0", PLACE, 0, None, 0)))
    assert code.ns is None


def test_what_follows_a_break_is_named_after_the_line() -> None:
    (code,) = compiled_code(run(Compilation("5/0", REST, 0, 1, 0)))
    assert code.name == "forward after line 9"


def test_torch_s_own_modules_are_hidden_behind_a_function() -> None:
    inner = Frame("/x/site-packages/torch/_dynamo/external_utils.py", 60, "inner")
    (code,) = compiled_code(run(Compilation("5/0", inner, 0, 1, 0)))
    assert code.name == "a module of torch"


@pytest.mark.parametrize(
    ("reason", "kind", "argument"),
    [
        ("4/0: tensor 'L['x']' size mismatch at index 0. expected 3, actual 4", "shape", "x"),
        ("4/0: tensor 'x' rank mismatch. expected 2, actual 0", "shape", "x"),
        ("4/1: ___check_type_id(L['n'], 140421739401728)  ", "type", "n"),
        ("4/1: ___check_type_id(n, 14022), type=<class 'float'>  # return n", "type", "n"),
        ("4/2: tensor 'x' requires_grad mismatch. expected requires_grad=1", "state", "x"),
        ("4/2: tensor 'x' dtype mismatch. expected Float, actual Bool", "type", "x"),
        ("0/3: GLOBAL_STATE changed: grad_mode", "state", None),
        ('4/0: n == 0.5    # x*n\nUser stack trace:\n  File "m.py", line 4, in g', "value", "n"),
        ("4/0: something new", "other", None),
    ],
)
def test_guards_as_old_and_new_versions_of_torch_word_them(
    reason: str, kind: str, argument: str | None
) -> None:
    assert (guard(reason).kind, guard(reason).argument) == (kind, argument)
    assert "\n" not in guard(reason).text


def test_the_breaks_of_a_line_are_one_and_counted_only_in_a_trace() -> None:
    at = Frame("/me/model.py", 9, "forward")
    breaks = (GraphBreak("Tensor.item", at, 0), GraphBreak("Tensor.item", at, 1))
    (line,) = broken_lines(run(Compilation("5/0", REST, 0, 1, 0), breaks=breaks))
    assert (line.place, line.reasons, line.per_step) == (at, ("Tensor.item",), None)


def test_entries_into_what_follows_a_line_are_counted_per_step() -> None:
    at = Frame("/me/model.py", 9, "forward")
    events = trace("""
        note  ssssssssttttttttt s=ProfilerStep#0 t=ProfilerStep#1
        op    .aa.bb..aa.bb.bb. a=first b=rest
    """)
    names = {"first": "Torch-Compiled Region: 4/0", "rest": "Torch-Compiled Region: 5/0"}
    events = replace(events, names=tuple(names.get(name, name) for name in events.names))
    made = (Compilation("4/0", PLACE, 0, 1, 0), Compilation("5/0", REST, 0, 1, 0))
    (line,) = broken_lines(run(*made, breaks=(GraphBreak("why", at, 0),), events=events))
    assert line.per_step == 1.5


def test_the_table_has_a_row_per_code_object() -> None:
    made = run(
        Compilation("4/0", PLACE, 0, 10, 0),
        Compilation("5/0", REST, 0, 30, 0),
        breaks=(GraphBreak("why", Frame(PLACE.file, 9, "forward"), 0),),
    )
    table = compile_table(compiled_code(made), broken_lines(made))
    assert [(row[2], row[4], row[7]) for row in table.rows] == [
        ("forward after line 9", 30, 0),
        ("forward", 10, 1),
    ]
