"""The compiler's ledgers: nothing without it, each thing once, and the program's own frames only."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch

from perfkit.capture import compiler
from perfkit.capture.compiler import CompilerLog, eagerly, pass_through
from perfkit.model.compiler import CompilerRecord
from perfkit.model.syncs import Frame

CODE = compile("pass", "model.py", "exec")


def entry(number="4/0", version=0, us=5, **changes):
    """One of torch's compilation metrics, with the fields that 2.6 has."""
    fields = {
        "compile_id": number, "co_name": "forward", "co_filename": "/me/model.py",
        "co_firstlineno": 7, "cache_size": version, "duration_us": us, "fail_reason": None,
        "is_forward": True,
    }  # fmt: skip
    return SimpleNamespace(**{**fields, **changes})


@pytest.fixture
def dynamo(monkeypatch):
    """A compiler with empty ledgers in the place of torch's."""
    entries = []
    fake = SimpleNamespace(
        entries=entries, get_compilation_metrics=lambda: list(entries[-64:]), guard_failures={},
        graph_break_reasons=[],
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "torch._dynamo.utils", fake)
    return fake


def test_without_the_compiler_nothing_was_compiled_and_it_is_not_loaded(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch._dynamo.utils", raising=False)
    log = CompilerLog()
    log.look(0)
    assert (log.record(), log.gaps()) == (CompilerRecord(), ())
    assert "torch._dynamo.utils" not in sys.modules


def test_what_was_compiled_before_is_not_ours_to_tell(dynamo):
    dynamo.entries.append(entry())
    dynamo.graph_break_reasons.append(SimpleNamespace(reason="old", user_stack=[]))
    log = CompilerLog()
    log.skip()
    log.look(3)
    assert log.record() == CompilerRecord()


def test_our_own_frames_are_left_out(dynamo):
    log = CompilerLog()
    dynamo.entries.append(entry(co_filename=compiler.__file__))
    log.look(0)
    assert log.record() == CompilerRecord()


def test_a_torch_that_keeps_no_record_is_a_gap_and_not_zero(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch._dynamo.utils", SimpleNamespace())
    log = CompilerLog()
    log.look(0)
    assert log.record() is None
    assert "keeps no such record" in log.gaps()[0].why


def test_each_compilation_belongs_to_the_step_in_which_it_was_seen(dynamo):
    log = CompilerLog()
    dynamo.entries.append(entry())
    log.look(None)
    dynamo.entries.append(entry("4/1", 1, us=None))
    log.look(2)
    log.look(3)
    first, second = log.record().compilations
    assert (first.step, first.ns, first.version) == (None, 5_000, 0)
    assert (second.step, second.ns, second.version) == (2, None, 1)
    assert first.place == Frame("/me/model.py", 7, "forward")


def test_the_newest_version_tells_why_where_torch_itself_does_not(dynamo):
    log = CompilerLog()
    dynamo.entries += [entry(), entry("4/1", 1), entry("4/2", 2)]
    dynamo.guard_failures[CODE] = ["4/0: n == 1", "4/1: n == 2", "4/0: n == 1"]
    log.look(0)
    assert [each.reason for each in log.record().compilations] == [
        None, "4/0: n == 1", "4/1: n == 2",
    ]  # fmt: skip


def test_a_backward_and_a_refusal_belong_to_the_forward_with_their_number(dynamo):
    log = CompilerLog()
    nameless = {"co_name": None, "co_filename": None, "co_firstlineno": None, "cache_size": None}
    dynamo.entries += [
        entry(),
        entry("4/0", is_forward=False, **nameless),
        entry("4/8", fail_reason="recompile limit", **nameless),
    ]
    log.look(0)
    made = log.record().compilations
    assert [each.place.function for each in made] == ["forward"] * 3
    assert [each.backward for each in made] == [False, True, False]
    assert made[2].failed == "recompile limit"


def test_more_than_torch_keeps_is_a_gap(dynamo):
    log = CompilerLog()
    dynamo.entries.append(entry())
    log.look(0)
    dynamo.entries += [entry(f"{i}/0") for i in range(70)]
    log.look(1)
    assert len(log.record().compilations) == 65
    assert log.gaps()[0].what == "some compilations"


def test_breaks_have_the_innermost_line(dynamo):
    log = CompilerLog()
    at = [SimpleNamespace(filename="a.py", lineno=n, name="f") for n in (3, 9)]
    dynamo.graph_break_reasons.append(SimpleNamespace(reason="Tensor.item", user_stack=at))
    log.look(1)
    log.look(2)
    (found,) = log.record().breaks
    assert (found.place, found.step, found.reason) == (Frame("a.py", 9, "f"), 1, "Tensor.item")


def test_the_real_compiler_is_read():
    torch._dynamo.reset()
    log = CompilerLog()
    log.skip()

    def doubled(x, name):
        return x * len(name)

    compiled = torch.compile(doubled, backend="eager")
    for name in ("a", "bb"):
        compiled(torch.ones(2), name)
    log.look(5)
    first, second = log.record().compilations
    assert first.place == Frame(__file__, doubled.__code__.co_firstlineno, "doubled")
    assert (first.version, second.version, second.step) == (0, 1, 5)
    assert first.ns is not None and first.ns > 0
    assert "name" in second.reason


def test_code_runs_uncompiled_inside_and_compiled_afterwards():
    torch._dynamo.reset()
    log = CompilerLog()
    compiled = torch.compile(torch.sin, backend="eager")
    log.skip()
    with eagerly():
        compiled(torch.ones(2))
    log.look(0)
    assert log.record() == CompilerRecord()


def test_the_compiler_passes_through_a_wrapper_to_what_it_calls():
    torch._dynamo.reset()
    log = CompilerLog()
    log.skip()

    def inside(x):
        return x + 1

    def wrapper(x):
        return inside(x)

    pass_through(wrapper)
    torch.compile(wrapper, backend="eager")(torch.ones(2))
    log.look(0)
    assert [each.place.function for each in log.record().compilations] == ["inside"]
