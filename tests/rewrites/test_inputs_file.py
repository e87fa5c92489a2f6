"""Arguments through a file: the same tree comes back, and what cannot is told before anybody relies on it."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import re
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from perfkit.base.errors import PerfkitError
from perfkit.rewrites._inputs_file import function_of, load, save
from perfkit.rewrites._inputs_tree import Packed


class Pair(NamedTuple):
    left: torch.Tensor
    right: int


@dataclasses.dataclass(frozen=True)
class Batch:
    ids: torch.Tensor
    kind: str = "train"


class Mode(enum.Enum):
    FAST = 1


class Hostile:
    def __repr__(self):
        raise SystemExit("must not be asked")

    __class__ = property(__repr__)


def through(tmp_path, *args, **kwargs):
    packed = Packed({"args": list(args), "kwargs": kwargs})
    path = tmp_path / "0.safetensors"
    save(path, "region", packed)
    return load(path)


def cyclic():
    items = []
    items.append(items)
    return items


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (torch.nn.Linear(1, 1), r"args\[0\] is a module \(Linear\)"),
        (Hostile(), r"args\[0\] is a value of type .*Hostile"),
        (lambda: None, r"args\[0\] is a value of type builtins.function"),
        (cyclic(), r"args\[0\]\[0\] contains itself"),
        ({"x": torch.eye(2).to_sparse()}, r"args\[0\]\[x\] is a tensor of layout torch.sparse_coo"),
        (torch.empty(2, device="meta"), "without values"),
        (np.array([object()]), "is a numpy value of dtype object"),
    ],
    ids=["module", "hostile", "lambda", "cycle", "sparse", "meta", "objects"],
)
def test_what_cannot_be_kept_makes_the_call_not_replayable(tmp_path, value, why):
    packed = Packed({"args": [value], "kwargs": {}})
    assert len(packed.why_not) == 1
    packed.forget_tensors()
    save(tmp_path / "f.safetensors", "region", packed)
    captured = load(tmp_path / "f.safetensors")
    assert captured.args == ()
    assert re.search(why, captured.why_not[0])


def test_nested_structures_come_back_as_they_were(tmp_path):
    tree = {
        "plain": [None, True, 3, "text", 2.5, b"\x00\xff", 1 + 2j, ...],
        "tuple": (1, (2, [3])),
        7: OrderedDict(b=1, a=2),
        (1, 2): {3, 4},
        "torch": [torch.float16, torch.Size([2, 3]), slice(1, None), range(4)],
        "named": [Mode.FAST, torch.nn.functional.relu, Mode],
        "not finite": [math.inf, -math.inf],
    }
    back = through(tmp_path, tree, key=frozenset("a"))
    assert back.args == (tree,)
    assert list(back.args[0]) == list(tree)
    assert back.kwargs == {"key": frozenset("a")}
    assert math.isnan(through(tmp_path, math.nan).args[0])


def test_classes_of_the_users_own_come_back(tmp_path):
    back = through(tmp_path, Pair(torch.ones(2), 3), Batch(torch.arange(3)))
    assert type(back.args[0]) is Pair
    assert type(back.args[1]) is Batch
    assert back.args[1].ids.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(2, 3).t(),
        torch.randn(4, 6)[:, ::2],
        torch.randn(3).expand(2, 3),
        torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        torch.zeros(0, 3),
        torch.tensor(3),
        torch.tensor([True, False]),
        torch.randn(3, dtype=torch.complex64).conj(),
        torch.randn(2).bfloat16(),
    ],
    ids=["transposed", "strided", "expanded", "nhwc", "empty", "0-d", "bool", "conj", "bf16"],
)
def test_tensors_keep_values_dtype_and_strides(tmp_path, tensor):
    (back,) = through(tmp_path, tensor).args
    assert torch.equal(back, tensor)
    assert (back.dtype, back.stride()) == (tensor.dtype, tensor.stride())


def test_a_column_of_a_large_matrix_does_not_bring_the_matrix(tmp_path):
    (back,) = through(tmp_path, torch.ones(50, 1000)[:, 0]).args
    assert back.untyped_storage().nbytes() == 200


def test_gradients_parameters_and_identity_are_kept(tmp_path):
    leaf = torch.ones(2, requires_grad=True)
    weight = torch.nn.Parameter(torch.ones(2))
    back = through(tmp_path, leaf, leaf * 2, weight, weight).args
    assert [t.requires_grad for t in back] == [True] * 4
    assert [t.is_leaf for t in back] == [True, False, True, True]
    assert type(back[2]) is torch.nn.Parameter
    assert back[2] is back[3]


def test_arrays_and_generators_come_back(tmp_path):
    generator = torch.Generator().manual_seed(5)
    back = through(tmp_path, np.arange(3), np.float32(2), generator).args
    assert back[0].tolist() == [0, 1, 2]
    assert type(back[1]) is np.float32
    expected = torch.rand(2, generator=generator)
    assert torch.equal(torch.rand(2, generator=back[2]), expected)


def test_views_of_one_memory_are_noted(tmp_path):
    whole = torch.ones(4)
    assert "share memory" in through(tmp_path, whole, whole[1:]).notes[0]


def test_later_changes_do_not_reach_what_was_copied(tmp_path):
    tensor = torch.zeros(2)
    packed = Packed({"args": [tensor], "kwargs": {}})
    packed.copied()
    tensor.fill_(1)
    save(tmp_path / "f.safetensors", "region", packed)
    assert load(tmp_path / "f.safetensors").args[0].tolist() == [0, 0]


_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None)
@given(_TREES)
def test_any_plain_tree_comes_back(tmp_path_factory, tree):
    assert through(tmp_path_factory.mktemp("trees"), tree).args == (tree,)


@pytest.mark.parametrize(
    "tree",
    [
        {"args": [{"dataclass": "os:system", "fields": []}]},
        {"args": [{"dataclass": f"{__name__}:Batch", "fields": [["nothing", 1]]}]},
        {"args": [{"enum": "os:environ", "member": "PATH"}]},
        {"args": [{"tensor": "gone"}]},
        {"args": [{"unknown": 1}]},
        {"args": [{}]},
        [],
    ],
)
def test_a_forged_tree_is_one_sentence(tmp_path, tree):
    path = tmp_path / "forged.safetensors"
    document = {
        "schema": "perfkit.inputs/1", "function": "f", "tree": tree, "why_not": [], "notes": [],
    }  # fmt: skip
    save_file({"x": torch.ones(1)}, path, {"perfkit": json.dumps(document)})
    with pytest.raises(PerfkitError, match="holds no captured inputs"):
        load(path)


@pytest.mark.parametrize(
    "content", [b"", b"no tensors", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "]
)
def test_another_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(PerfkitError):
        load(path)


def test_a_class_that_is_nowhere_is_named(tmp_path):
    path = tmp_path / "f.safetensors"
    save(path, "region", Packed({"args": [Mode.FAST], "kwargs": {}}))
    text = path.read_bytes().replace(b":Mode", b":Made")
    path.write_bytes(text)
    with pytest.raises(PerfkitError, match="need Made of"):
        load(path)


class Inner(torch.nn.Module):
    def __init__(self):
        raise AssertionError("a module is made again without its __init__")


def test_a_module_comes_back_with_its_tensors_submodules_and_plain_attributes(tmp_path):
    inner = object.__new__(Inner)
    torch.nn.Module.__init__(inner)
    inner.linear, inner.k, inner.last = torch.nn.Linear(2, 3), 2, None
    inner.register_buffer("count", torch.ones(1))
    inner.log = open
    inner.lock = object()
    inner.eval()
    tree = {"args": [], "kwargs": {}, "state": dict(inner.named_parameters()), "self": inner}
    packed = Packed(tree, modules=True)
    assert packed.why_not == [] and any("lock" in note for note in packed.notes)
    save(tmp_path / "a.safetensors", "Inner", packed)
    call = load(tmp_path / "a.safetensors")
    again = call.module
    assert type(again) is Inner and (again.k, again.last, again.training) == (2, None, False)
    assert again.linear.weight is call.state["linear.weight"]
    assert torch.equal(again.count, inner.count) and not hasattr(again, "lock")
    assert function_of(tmp_path / "a.safetensors") == "Inner"


def test_a_forged_module_is_one_sentence(tmp_path):
    node = {"module": "os:environ", "training": 1, "own": [], "parameters": [], "buffers": []}
    document = {
        "schema": "perfkit.inputs/2", "function": "f", "tree": {"self": node},
        "why_not": [], "notes": [],
    }  # fmt: skip
    save_file({"x": torch.ones(1)}, tmp_path / "a", {"perfkit": json.dumps(document)})
    with pytest.raises(PerfkitError, match="holds no captured inputs"):
        load(tmp_path / "a")
