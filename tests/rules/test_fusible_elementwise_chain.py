"""fusible-elementwise-chain: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Finding
from perfkit.model.syncs import Frame
from perfkit.rules.fusible_elementwise_chain import fusible_elementwise_chain
from tests.cost_rows import GPU, product, row
from tests.draw import US, draw

HERE = Frame("/p/model.py", 7, "forward")


def chain(layer: int = 0, us: float = 10.0) -> list[OpCost]:
    return [
        row(f"aten::{name}", us=us, module=f"M.{layer}", phase="forward", place=HERE)
        for name in ("mul", "sigmoid", "add")
    ]


def found(*costs: OpCost, **fields: object) -> tuple[Finding, ...]:
    """In a step of 400 µs on the GPU of round numbers."""
    picture = f"step  {'b' * 400}"
    about = {"device": "cuda", "peaks": GPU, "costs": costs, "costed_steps": 1, **fields}
    return fusible_elementwise_chain(draw(picture, **about)).findings


def test_abstains_without_costs_and_without_a_bandwidth() -> None:
    with pytest.raises(NotApplicable):
        found(costed_steps=0)
    with pytest.raises(NotObservable, match="bandwidth"):
        found(*chain(), peaks=replace(GPU, bandwidth=None))


def test_silent_on_single_operators() -> None:
    assert found(product(), row(us=300)) == ()


def test_silent_where_fusing_saves_a_sliver_of_the_step() -> None:
    assert found(*chain(us=3)) == ()


def test_silent_where_the_step_waits_for_its_launches() -> None:
    fields = {"device": "pretend-cuda", "peaks": None, "launches_per_step": 9999.0}
    assert found(*chain(), **fields) == ()


def test_results_in_between_are_saved_and_launches_at_best() -> None:
    (finding,) = found(*chain())
    assert finding.saving is not None
    assert (finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns) == (
        10 * US,
        20 * US,
        30 * US,
    )
    assert finding.place == HERE
    assert finding.title == (
        "mul → sigmoid → add send 19.1 MiB per step through memory that fusing saves"
    )


def test_the_same_chain_in_every_layer_is_one_finding() -> None:
    (finding,) = found(*chain(0), product(), *chain(1), costed_steps=2)
    assert finding.saving is not None
    assert finding.saving.likely_ns == 20 * US
    assert (finding.evidence["module"], finding.evidence["chains_per_step"]) == ("M.*", 1.0)
