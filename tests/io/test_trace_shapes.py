"""Recorded arguments: kept once per signature, decoded late, and never trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.io import trace_shapes
from perfkit.io.chrome import read_trace
from perfkit.io.trace_shapes import Argument, signature
from perfkit.model.events import Events
from tests.kineto_traces import document, needs_corpus, span, write

MM = {
    "Concrete Inputs": ["", ""],
    "Input type": ["float", "c10::Half"],
    "Input Strides": [[3, 1], [4, 1]],
    "Input Dims": [[2, 3], [3, 4]],
}


def read(folder: Path, *operators: dict[str, Any], category: str = "cpu_op") -> Events:
    spans = [span(category, "op", 10.0 * i, 5, **args) for i, args in enumerate(operators)]
    events = read_trace(write(folder / "t.json", document(spans)))
    events.self_check()
    return events


def arguments(events: Events, position: int = 0) -> tuple[Argument, ...] | None:
    return signature(events.shapes.texts[int(events.shapes.code[position])])


@pytest.mark.parametrize(
    "args",
    [
        pytest.param({}, id="no arguments"),
        pytest.param({"Ev Idx": 4}, id="no lists"),
        pytest.param({"Process Group Ranks": [0, 1]}, id="another list"),
        pytest.param({"Input type": ["float"]}, id="dtypes without shapes"),
        pytest.param({"Module Hierarchy": "[a]"}, id="a bracket in a text"),
    ],
)
def test_operators_without_shapes_have_none(tmp_path: Path, args: dict[str, Any]) -> None:
    assert len(read(tmp_path, args).shapes) == 0


def test_kernels_have_no_shapes(tmp_path: Path) -> None:
    assert len(read(tmp_path, MM, category="kernel").shapes) == 0


def test_arguments_that_are_no_object_cost_only_their_own_row(tmp_path: Path) -> None:
    spans = [{**span("cpu_op", "op", 1, 1), "args": odd} for odd in (None, [[1]], "[", 3)]
    spans.append(span("cpu_op", "op", 2, 1, **MM))
    events = read_trace(write(tmp_path / "t.json", document(spans)))
    assert events.shapes.rows.tolist() == [4]


def test_equal_signatures_are_kept_once(tmp_path: Path) -> None:
    numbered = [{"External id": i, "Record function id": 0, **MM, "Ev Idx": i} for i in range(20)]
    other = {**MM, "Input Dims": [[2, 3], [3, 5]]}
    events = read(tmp_path, *numbered, {"External id": 30}, other)
    assert events.shapes.rows.tolist() == [*range(20), 21]
    assert events.shapes.code.tolist() == [0] * 20 + [1]
    assert len(events.shapes.texts) == 2


def test_rows_are_found_again_after_sorting(tmp_path: Path) -> None:
    spans = [span("cpu_op", "late", 90, 1, **MM), span("cpu_op", "early", 10, 1)]
    events = read_trace(write(tmp_path / "t.json", document(spans)))
    assert [events.name_of(row) for row in events.shapes.rows] == ["late"]


def test_a_tensor_has_shape_dtype_and_strides(tmp_path: Path) -> None:
    assert arguments(read(tmp_path, MM)) == (
        Argument("float", ((2, 3),), ((3, 1),)),
        Argument("c10::Half", ((3, 4),), ((4, 1),)),
    )


def test_old_traces_have_neither_strides_nor_values(tmp_path: Path) -> None:
    old = {"Input Dims": [[2, 3], []], "Input type": ["float", "Scalar"], "Call stack": "a[0]"}
    assert arguments(read(tmp_path, old, category="Operator")) == (
        Argument("float", ((2, 3),), (None,)),
        Argument("Scalar"),
    )


def test_lists_and_plain_values() -> None:
    text = json.dumps([
        [[[1, 2], [3]], [], [], [], []],
        ["TensorList", "TensorList", "Scalar", "", "nullptr (uninitialized)"],
        [[[2, 1], [1]], [], [], [], []],
        ["", "", "0.5", "[1, 2]", "x"],
    ])  # fmt: skip
    assert signature(text) == (
        Argument("TensorList", ((1, 2), (3,)), ((2, 1), (1,))),
        Argument("TensorList"),
        Argument("Scalar", text="0.5"),
        Argument(text="[1, 2]"),
        Argument(text="x"),
    )


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param(
            [[[2, "x"]], ["float"], None, None], Argument(), id="a size that is no number"
        ),
        pytest.param([[[2, -1]], ["float"], None, None], Argument(), id="a negative size"),
        pytest.param([[[True]], ["float"], None, None], Argument(), id="a truth value as size"),
        pytest.param([[[2**70]], ["float"], None, None], Argument(), id="a size beyond 64 bits"),
        pytest.param([["x"], ["float"], None, None], Argument(), id="a text for a shape"),
        pytest.param([[[2]], [7], None, None], Argument(), id="a dtype that is no text"),
        pytest.param([[[2]], None, None, None], Argument(), id="no dtypes"),
        pytest.param([[[2]], "float", None, None], Argument(), id="a text for the dtypes"),
        pytest.param(
            [[[2]], ["float"], [[1, 1]], None],
            Argument("float", ((2,),), (None,)),
            id="more strides than sizes",
        ),
        pytest.param(
            [[[2]], ["float"], [], []], Argument("float", ((2,),), (None,)), id="lists too short"
        ),
        pytest.param(
            [[[[2], "x"]], ["TensorList"], None, None], Argument("TensorList"), id="a torn list"
        ),
    ],
)
def test_odd_entries_count_as_not_recorded(parts: list[Any], expected: Argument) -> None:
    assert signature(json.dumps(parts)) == (expected,)


@pytest.mark.parametrize("text", ["", "7", "[]", "[1,2,3,4]", "[null,[],[],[]]", "[[],[],[],[]"])
def test_a_damaged_signature_is_none(text: str) -> None:
    assert signature(text) is None


def test_a_list_too_long_to_keep_is_told(tmp_path: Path) -> None:
    long = {"Input Dims": [[[7]] * 30_000], "Input type": ["TensorList"]}
    events = read(tmp_path, long, MM)
    assert events.shapes.rows.tolist() == [1]
    assert "shapes of some operators were dropped" in {gap.what for gap in events.gaps}


def test_shapes_that_always_change_are_told_when_no_more_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_shapes, "_ALL", 400)
    events = read(tmp_path, *({**MM, "Input Dims": [[2, i], [i, 4]]} for i in range(20)), MM)
    assert 0 < len(events.shapes) < 20
    assert ("shapes of some operators were dropped", "nearly every call has shapes of its own") in {
        (gap.what, gap.why) for gap in events.gaps
    }


def test_forgetting_what_was_seen_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = [{**MM, "Input Dims": [[2, i % 3], [3, 4]]} for i in range(12)]
    expected = read(tmp_path, *several).shapes
    monkeypatch.setattr(trace_shapes, "_SEEN", 1)
    found = read(tmp_path, *several).shapes
    assert found.texts == expected.texts
    assert found.code.tolist() == expected.code.tolist()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(JSON, max_size=5))
def test_any_json_is_a_signature_or_none(parts: list[Any]) -> None:
    found = signature(json.dumps(parts))
    for argument in found or ():
        assert len(argument.shapes) == len(argument.strides)
        assert all(size >= 0 for shape in argument.shapes for size in shape)


KEYS = ("Input Dims", "Input type", "Input Strides", "Concrete Inputs", "Ev Idx")


@settings(max_examples=60, deadline=None)
@given(odd=st.lists(st.dictionaries(st.sampled_from(KEYS), JSON), min_size=1, max_size=4))
def test_whatever_stands_there_harms_no_neighbour(
    tmp_path_factory: pytest.TempPathFactory, odd: list[dict[str, Any]]
) -> None:
    events = read(tmp_path_factory.mktemp("odd"), *odd, MM)
    assert int(events.shapes.rows[-1]) == len(odd)
    assert arguments(events, len(events.shapes) - 1) == signature(
        json.dumps([MM[key] for key in ("Input Dims", "Input type", "Input Strides")] + [["", ""]])
    )


@needs_corpus("h100_qwen1.5_0.5b", "a100_stacks_old_style", "compiled_triton")
def test_real_traces_have_few_signatures_and_all_can_be_read(trace: Path) -> None:
    events = read_trace(trace)
    assert len(events.shapes) > 20
    assert len(events.shapes.texts) < 2_000
    assert all(signature(text) is not None for text in events.shapes.texts)
