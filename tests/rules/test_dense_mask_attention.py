"""dense-mask-attention: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.operands import Operands
from perfkit.model.run import Run
from perfkit.rules.dense_mask_attention import FIX_UNREAD, dense_mask_attention
from tests.cost_rows import product, row
from tests.rules.operand_runs import HERE, predicted, run, saved

MODULE = "M.layers.0.attention"
MASK = Operands(
    "mask", "aten::_softmax", (2, 64, 64), "block-diagonal and causal", 1, looked=100, part=75,
    padded=0.0, padded_pairs=0.0, module=MODULE, place=HERE,
)  # fmt: skip
SCORES = row(us=20, signature="f32[2,64,64]", module=MODULE)
PRODUCT = product(us=20, signature="f32[2,64,8] x f32[2,8,64]", op="aten::bmm", module=MODULE)
MAKING = row(us=10, signature="i64[64,64]", module="M", phase="forward")
FUSED = product(
    us=40, op="aten::_scaled_dot_product_efficient_attention",
    signature="f32[2,4,64,8] x f32[2,4,64,8] x f32[2,4,64,8] x f32[2,4,64,64]",
)  # fmt: skip
ALL = (SCORES, PRODUCT, MAKING)


def test_abstains_without_a_mask() -> None:
    with pytest.raises(NotApplicable):
        dense_mask_attention(Run("empty"))
    with pytest.raises(NotApplicable, match="no attention with a mask"):
        dense_mask_attention(run(costs=ALL))
    with pytest.raises(NotObservable, match="a trace"):
        dense_mask_attention(run(costs=ALL, operands=None, source="trace"))


@pytest.mark.parametrize(
    ("mask", "costs"),
    [
        (replace(MASK, what="a bias"), ALL),
        (replace(MASK, what="other"), ALL),
        (replace(MASK, what="padding"), ALL),
        (MASK, (row(us=4, signature="f32[2,64,64]", module=MODULE),)),
        (MASK, (replace(SCORES, module="M.other"),)),
    ],
    ids=["numbers are needed", "no structure", "padding, which another rule tells",
         "a sliver of the step", "another module"],
)  # fmt: skip
def test_silent(mask: Operands, costs) -> None:
    assert dense_mask_attention(run(mask, costs=costs)).findings == ()


def test_silent_on_a_step_that_waits_for_its_launches() -> None:
    assert dense_mask_attention(predicted(MASK, launches=1000.0, costs=ALL)).findings == ()


def test_a_kernel_without_a_mask_is_no_finding() -> None:
    causal = replace(FUSED, signature=FUSED.signature.rpartition(" x ")[0])
    with pytest.raises(NotApplicable):
        dense_mask_attention(run(costs=(causal,)))


def test_everything_but_arithmetic_on_pairs_that_are_seen_is_gained() -> None:
    (finding,) = dense_mask_attention(run(MASK, costs=ALL)).findings
    assert saved(finding) == (11_250, 22_500, 40_500)
    assert (finding.place, finding.rewrite) == (HERE, "block_diagonal_attention")
    assert finding.title == (
        "Attention by hand takes 50 µs per step with a dense mask that is block-diagonal and causal: "
        "75% of all pairs are masked"
    )


def test_what_only_padding_hides_is_left_to_another_rule() -> None:
    mask = replace(MASK, what="causal and padding", padded=0.4, padded_pairs=0.5)
    (finding,) = dense_mask_attention(run(mask, costs=ALL)).findings
    assert saved(finding) == (5_000, 10_000, 18_000)
    assert finding.rewrite is None


def test_layers_alike_are_one_finding_and_the_mask_counts_once() -> None:
    other = "M.layers.1.attention"
    costs = (*ALL, replace(SCORES, module=other))
    (finding,) = dense_mask_attention(run(MASK, replace(MASK, module=other), costs=costs)).findings
    assert finding.evidence["attention_ns"] == 70_000
    assert finding.evidence["module"] == "M.layers.*.attention"


def test_flex_attention_is_never_the_first_advice() -> None:
    from perfkit.rules import dense_mask_attention as module

    assert not any("lex" in fix for fix in (*module._FIXES.values(), FIX_UNREAD))


def test_a_trace_tells_by_shapes_that_there_is_a_mask() -> None:
    looked = dense_mask_attention(run(costs=(FUSED,), operands=None, source="trace"))
    assert len(looked.findings) == 1


@pytest.mark.parametrize("operands", [(), (replace(MASK, what="not read", looked=0, part=0),)])
def test_a_mask_that_was_not_read_is_told_by_its_presence(operands) -> None:
    (finding,) = dense_mask_attention(run(*operands, costs=(FUSED,))).findings
    assert saved(finding) == (0, 4_000, 20_000)
    assert (finding.fix, finding.confidence) == (FIX_UNREAD, "low")


def test_at_low_nothing_is_gained_where_launches_limit_the_step() -> None:
    scores = row(us=240, signature="f32[2,64,64]", module=MODULE)
    (finding,) = dense_mask_attention(predicted(MASK, launches=60.0, costs=(scores,))).findings
    low, likely, _ = saved(finding)
    assert low == 0 < likely
