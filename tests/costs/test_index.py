"""All families together."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.base import plugins
from perfkit.costs import _index
from perfkit.costs._call import Call, Cost, Operand, Unknown

FAMILIES = plugins.modules(_index.ROOM)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_has_models_a_page_and_a_test(name: str) -> None:
    from pathlib import Path

    module = FAMILIES[name]
    assert module.COSTS or module.FREE
    assert module.__doc__
    assert all("::" in op and "." not in op for op in module.COSTS)
    assert (Path(__file__).parent / f"test_{name}.py").exists()


def test_no_operator_belongs_to_two_families() -> None:
    names = [op for module in FAMILIES.values() for op in module.COSTS]
    free = [op for module in FAMILIES.values() for op in getattr(module, "FREE", ())]
    assert len(names) == len(set(names))
    assert not set(names) & set(free)


def test_an_operator_without_a_model_is_not_known_and_not_zero() -> None:
    found = _index.cost(Call("mylib::odd", ()))
    assert found == _index.NotKnown("no cost model for mylib::odd")
    assert not _index.has_cost("mylib::odd")


def test_a_custom_operator_gets_a_cost_by_one_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_index, "_custom", {})

    def gate(call: Call) -> Cost:
        if not call.inputs:
            raise Unknown("no inputs")
        return Cost(7, 1, 2)

    _index.register_cost("mylib::gate", gate)
    assert _index.cost(Call("mylib::gate", (1,))) == Cost(7, 1, 2)
    assert _index.cost(Call("mylib::gate", ())) == _index.NotKnown("no inputs")
    with pytest.raises(ValueError, match="namespace"):
        _index.register_cost("gate", gate)


def test_registering_is_public_and_starts_light() -> None:
    code = "import sys, perfkit; perfkit.register_cost; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_a_custom_cost_goes_before_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_index, "_custom", {"aten::linear": lambda call: Cost(1, 2, 3)})
    assert _index.cost(Call("aten::linear", ())) == Cost(1, 2, 3)
    assert not _index.is_composite("aten::linear")


def test_most_of_torch_s_own_operators_have_a_model() -> None:
    """Of the names that reach a device by themselves; the rest are rare and said to be unknown."""
    import torch

    names = {schema.name for schema in torch._C._jit_get_all_schemas()}
    apart = ("aten::_test", "aten::sparse", "aten::_sparse", "aten::_nested", "aten::special")
    leaves = [
        name
        for name in names
        if name.startswith("aten::") and not name.startswith(apart) and _reaches_a_device(name)
    ]
    known = [name for name in leaves if _index.has_cost(name)]
    assert len(known) > 0.75 * len(leaves)


def _reaches_a_device(name: str) -> bool:
    import torch

    for schema in torch._C._jit_get_schemas_for_operator(name):
        full = f"{name}.{schema.overload_name}".rstrip(".")
        for key in ("CUDA", "CompositeExplicitAutograd"):
            try:
                if torch._C._dispatch_has_kernel_for_dispatch_key(full, key):
                    return True
            except RuntimeError:
                return False
    return False


_OPERANDS = st.builds(
    Operand,
    st.lists(st.integers(0, 4), max_size=4).map(tuple),
    st.sampled_from(["float32", "bool", "int64", "", "odd"]),
)
_PLAIN = st.none() | st.booleans() | st.integers(-3, 9) | st.just("text") | st.floats(-2, 2)
_VALUES = _OPERANDS | _PLAIN | st.lists(_OPERANDS | _PLAIN, max_size=3).map(tuple)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(_index._functions())), st.lists(_VALUES, max_size=10).map(tuple))
def test_whatever_a_trace_holds_there_is_a_cost_or_a_reason(
    name: str, inputs: tuple[Any, ...]
) -> None:
    found = _index.cost(Call(name, inputs))
    if isinstance(found, _index.NotKnown):
        assert found.reason
    else:
        assert found.flops >= 0 and found.read >= 0 and found.written >= 0
        assert all(isinstance(part, int) for part in (found.flops, found.read, found.written))
