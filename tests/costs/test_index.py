"""All families together."""

from __future__ import annotations

import pytest

from perfkit.base import plugins
from perfkit.costs import _index
from perfkit.costs._call import Call, Cost, Unknown

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
