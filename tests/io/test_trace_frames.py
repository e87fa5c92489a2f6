"""Python frames around a row: user code only, innermost first."""

from __future__ import annotations

import numpy as np
import pytest

from perfkit.io import trace_frames
from perfkit.io.trace_frames import Around, user_frames
from perfkit.model.syncs import Frame
from tests.trace_pictures import trace


def test_a_trace_without_frames_has_none() -> None:
    events = trace("op aaa a=aten::mm")
    assert Around(events).frames(0) == ()
    assert Around(events).frames(-1) == ()


def test_machinery_and_builtins_are_left_out() -> None:
    texts = [
        "torch/nn/modules/module.py(1): _call_impl",
        "/usr/lib/python3/site-packages/torch/x.py(2): f",
        "<built-in method item of Tensor object at 0x1>",
        "threading.py(3): run",
        "nonsense",
        "train.py(4): loop",
        "transformers/models/x.py(5): forward",
    ]
    assert list(user_frames(texts)) == [
        Frame("train.py", 4, "loop"),
        Frame("transformers/models/x.py", 5, "forward"),
    ]


def test_frames_enclose_and_stay_on_their_thread() -> None:
    events = trace("""
        py    ooooooooo. o=train.py(1):~main
        py    ..iiii.... i=model.py(7):~forward
        op    ...aa....b a=aten::mm b=aten::add
        op2   ...c...... c=aten::mul
    """)
    rows = {events.name_of(int(r)): int(r) for r in np.flatnonzero(events.of(["cpu_op"]))}
    around = Around(events)
    assert [str(f) for f in around.frames(rows["aten::mm"])] == ["model.py:7", "train.py:1"]
    assert around.frames(rows["aten::add"]) == ()
    assert around.frames(rows["aten::mul"]) == ()


def test_the_outermost_operator() -> None:
    events = trace("op aaaa. a=aten::linear\nop .bb.. b=aten::mm\ncall ..l.. l=cudaLaunchKernel")
    around = Around(events)
    call = int(np.flatnonzero(events.of(["cuda_runtime"]))[0])
    assert around.outermost_op(call) == "aten::linear"
    assert around.outermost_op(-1) is None


def test_blocks_of_any_size_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    events = trace("""
        py    ooooooooooooo. o=train.py(1):~main
        py    ..iiii.jj.kk.. i=model.py(7):~forward j=model.py(9):~loss k=model.py(11):~step
        op    ...aa..b...c.. a=aten::mm b=aten::add c=aten::mul
    """)
    rows = range(len(events))
    around = Around(events)
    found = [(around.frames(row), around.outermost_op(row)) for row in rows]
    assert len(set(found)) > 4
    for size in (1, 2, 3):
        monkeypatch.setattr(trace_frames, "_BLOCK", size)
        around = Around(events)
        assert [(around.frames(row), around.outermost_op(row)) for row in rows] == found
