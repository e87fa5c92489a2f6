"""single-tensor-optimizer: silent cases first, then exact numbers."""

from __future__ import annotations

import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.run import OpStat, Run
from perfkit.rules.single_tensor_optimizer import single_tensor_optimizer
from tests.draw import US, draw

PICTURE = f"step  {'l' * 3000}.{'l' * 3000}"


def _run(calls: dict[str, int], picture: str = PICTURE, device: str = "cuda") -> Run:
    ops = tuple(OpStat(name, "host", n, n, n) for name, n in calls.items())
    return draw(picture, ops=ops, device=device)


def test_it_does_not_apply_without_a_gpu_or_a_trace() -> None:
    updates = {"aten::addcdiv_": 100}
    for run in (_run(updates, device="pretend-cuda"), _run({}), _run(updates, "step  bbbb")):
        with pytest.raises(NotApplicable):
            single_tensor_optimizer(run)


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ({"aten::_foreach_addcdiv_": 400}, "grouped"),
        ({"aten::_fused_adamw_": 2, "aten::addcmul_": 400}, "fused"),
        ({"aten::addcdiv_": 31}, "few, over two steps"),
    ],
)
def test_silent(calls: dict[str, int], why: str) -> None:
    assert single_tensor_optimizer(_run(calls)).findings == (), why


def test_adam_by_parameter_is_told_with_its_launches() -> None:
    calls = {"aten::addcdiv_": 64, "aten::addcmul_": 64, "aten::lerp_": 64, "aten::mm": 900}
    (finding,) = single_tensor_optimizer(_run(calls)).findings
    assert finding.title == "The optimizer updates 32 parameters one at a time per step"
    assert finding.evidence["launches"] == 192
    assert finding.saving is not None
    saving = finding.saving
    assert (saving.low_ns, saving.likely_ns, saving.high_ns) == (0, 672 * US, 1920 * US)
