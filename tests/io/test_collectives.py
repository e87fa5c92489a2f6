from __future__ import annotations

import json

import pytest

from perfkit.base.errors import PerfkitError
from perfkit.io.collectives import Shapes, read_shapes
from tests.kineto_traces import document, needs_corpus, span, write

FLOATS = {"Input Dims": [[16, 384]], "Input type": ["float"]}


def shapes(tmp_path, *events):
    return read_shapes(write(tmp_path / "t.json.gz", document(list(events))))


def test_a_trace_without_collectives_tells_nothing(tmp_path):
    assert shapes(tmp_path, span("cpu_op", "aten::mm", 0, 1, **FLOATS)) == {}


def test_an_annotation_without_shapes_or_id_tells_nothing(tmp_path):
    bare = span("user_annotation", "nccl:all_reduce", 0, 1, **{"External id": 3})
    nameless = span("user_annotation", "nccl:all_reduce", 2, 1, **FLOATS)
    odd = span("cpu_op", "c10d::alltoall_base_", 4, 1, **{"External id": 4, "Input Dims": "x"})
    assert shapes(tmp_path, bare, nameless, odd) == {}


def test_a_list_of_tensors_has_no_known_size(tmp_path):
    args = {"External id": 3, "Input Dims": [[], []], "Input type": ["TensorList", ""]}
    assert shapes(tmp_path, span("cpu_op", "c10d::allgather_base_", 0, 1, **args)) == {}


def test_the_annotation_tells_what_goes_in(tmp_path):
    found = shapes(
        tmp_path, span("user_annotation", "nccl:all_to_all", 0, 1, **{"External id": 7}, **FLOATS)
    )
    assert found == {7: Shapes(16 * 384, None, "float")}


def test_the_operator_takes_the_output_first(tmp_path):
    args = {"External id": 9, "Input Dims": [[768], [3392], []], "Input type": ["int", "int", ""]}
    found = shapes(tmp_path, span("cpu_op", "c10d::alltoall_base_", 0, 1, **args))
    assert found == {9: Shapes(3392, 768, "int")}


def test_fields_in_another_order_and_braces_in_texts_do_not_matter(tmp_path):
    args = {"note": '} { \\" {', "External id": 1, **FLOATS}
    event = {"args": args, "ts": 1, "dur": 1, "ph": "X", "cat": "x", "name": "nccl:all_reduce"}
    text = json.dumps({"traceEvents": [event, {"name": "nccl:broken", "args": {"a": 1}}]})
    assert read_shapes(write(tmp_path / "t.json", text.encode())) == {
        1: Shapes(6144, None, "float")
    }


def test_events_across_the_blocks_of_a_long_file_are_found_once_each(tmp_path):
    filler = {"ph": "X", "cat": "cpu_op", "name": "x" * 997, "ts": 1, "dur": 1, "args": {}}
    events = []
    for i in range(1, 31):
        args = {"External id": i, "Input Dims": [[i]], "Input type": ["float"]}
        events += [*[filler] * 101, span("user_annotation", "nccl:all_reduce", i, 1, **args)]
    path = write(tmp_path / "long.json", json.dumps(document(events)).encode())
    assert path.stat().st_size > 3 << 20
    assert read_shapes(path) == {i: Shapes(i, None, "float") for i in range(1, 31)}


def test_a_cut_file_gives_what_came_before_the_cut(tmp_path):
    args = {"External id": 5, **FLOATS}
    whole = json.dumps(document([span("user_annotation", "nccl:all_reduce", 0, 1, **args)] * 2))
    cut = whole[: whole.rindex("nccl:") + 20].encode()
    assert read_shapes(write(tmp_path / "cut.json", cut)) == {5: Shapes(6144, None, "float")}


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(PerfkitError, match="cannot read"):
        read_shapes(tmp_path / "none.json")


@needs_corpus("worker0_step_12.1694128201545.pt.trace")
def test_an_old_trace_of_a_recommender_tells_all_its_sizes(trace):
    found = read_shapes(trace)
    assert {s.in_elements for s in found.values()} >= {6144, 24, 384, 3392, 394241, 112, 226960}
    assert Shapes(3392, 768, "int") in found.values()
