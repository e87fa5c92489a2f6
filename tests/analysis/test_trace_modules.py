"""Paths of modules: equal layers are one place, and what lies in no module stays apart."""

from __future__ import annotations

import numpy as np

from perfkit.analysis.trace_modules import module_paths
from perfkit.model.events import UNKNOWN, Events
from tests.kineto_traces import document, span, write
from tests.trace_pictures import trace


def paths(events: Events, name: str = "aten::mm") -> list[str | None]:
    known, code = module_paths(events, np.flatnonzero(events.named((name,))))
    return [None if each == UNKNOWN else known[each] for each in code.tolist()]


def test_without_stacks_there_are_no_modules() -> None:
    assert paths(trace("op aaa.aaa a=aten::mm")) == [None, None]


def test_an_operator_outside_of_every_module_has_none() -> None:
    assert paths(trace("op .aa a=aten::mm\npy m.. m=nn.Module:~Net_0")) == [None]


def test_a_module_on_another_thread_is_not_around() -> None:
    assert paths(trace("op2 .a. a=aten::mm\npy  mmm m=nn.Module:~Net_0")) == [None]


def test_equal_layers_are_one_path() -> None:
    found = paths(
        trace("""
            py  nnnnnnnnn  n=nn.Module:~Net_0
            py  .llll.... l=nn.Module:~Layer_0
            py  .....kkk. k=nn.Module:~Layer_11
            op  ..aa..aa. a=aten::mm
        """)
    )
    assert found == ["Net.Layer", "Net.Layer"]


def test_plain_functions_between_modules_do_not_show() -> None:
    found = paths(
        trace("""
            py  nnnnn n=nn.Module:~Net_0
            py  .fff. f=net.py(3):~forward
            py  ..l.. l=nn.Module:~Linear_2
            op  ..a.. a=aten::mm
        """)
    )
    assert found == ["Net.Linear"]


def test_very_deep_nesting_stops_at_a_depth(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from perfkit.io.chrome import read_trace

    deep = [span("python_function", f"nn.Module: M_{i}", i, 900 - 2 * i) for i in range(200)]
    spans = [*deep, span("cpu_op", "aten::mm", 300, 1)]
    (path,) = paths(read_trace(write(tmp_path / "t.json", document(spans))))
    assert path == ".".join(["M"] * 64)
