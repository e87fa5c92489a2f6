"""Fused embedding: what is refused, the rows that count or not, gradients, Hypothesis, and counts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.base.errors import PerfkitError
from perfkit.rewrites._counting import count
from perfkit.rewrites._parity import parity
from perfkit.rewrites.fused_embedding import (
    REWRITE,
    FusedIds,
    IdPolicy,
    Reduce,
    fuse_slots,
    fused_embedding,
)
from perfkit.rewrites.fused_embedding._cases import Sizes, drawn_slots
from perfkit.rewrites.fused_embedding._forms import SlotBatch


def table(rows: int = 4, width: int = 2) -> torch.Tensor:
    numbers = torch.arange(1.0, rows * width + 1, dtype=torch.float64)
    return numbers.view(rows, width).requires_grad_()


def bags(*rows: list[int], weights: list[float] | None = None) -> FusedIds:
    ids = torch.tensor([one for row in rows for one in row], dtype=torch.int64)
    offsets = torch.tensor([0, *(len(row) for row in rows)]).cumsum(0)
    return FusedIds(ids, offsets, 1, None if weights is None else torch.tensor(weights))


def test_weights_with_the_mean_are_refused():
    with pytest.raises(PerfkitError, match="sum only"):
        fused_embedding(table(), bags([1], weights=[2.0]), reduce=Reduce.MEAN)


def test_an_id_outside_the_table_raises_where_no_policy_is_asked_for():
    with pytest.raises(RuntimeError):
        fused_embedding(table(), bags([4]), IdPolicy.AS_IS)


def test_an_empty_bag_is_zero_in_sum_and_mean():
    for reduce in Reduce:
        assert not fused_embedding(table(), bags([], []), reduce=reduce).any()


@pytest.mark.parametrize("sparse", [False, True])
def test_a_frozen_row_counts_and_gets_no_gradient(sparse):
    weight, ids = table(), bags([0, 1], [0])
    out = fused_embedding(weight, ids, frozen_row=0, sparse=sparse)
    expected = F.embedding(ids.ids, weight)
    assert torch.equal(out, torch.stack([expected[0] + expected[1], expected[2]]))
    (gradient,) = torch.autograd.grad(out.sum(), weight)
    dense = gradient.to_dense() if sparse else gradient
    assert dense.tolist() == [[0, 0], [1, 1], [0, 0], [0, 0]]


def test_freezing_a_row_leaves_a_gradient_shared_with_others_alone():
    weight = table()
    out = fused_embedding(weight, bags([0]), frozen_row=0).sum() + weight.sum()
    (gradient,) = torch.autograd.grad(out, weight)
    assert gradient.tolist() == [[1, 1]] * 4


def test_a_dropped_row_does_not_count_in_sum_or_mean():
    weight, ids = table(), bags([0, 1], [0])
    assert fused_embedding(weight, ids, dropped_row=0).tolist() == [[3, 4], [0, 0]]
    mean = fused_embedding(weight, ids, dropped_row=0, reduce=Reduce.MEAN)
    assert mean.tolist() == [[3, 4], [0, 0]]


def test_a_sparse_gradient_holds_only_the_rows_that_were_read():
    weight = table(rows=100)
    out = fused_embedding(weight, bags([7, 7], [9]), sparse=True)
    (gradient,) = torch.autograd.grad(out.sum(), weight)
    assert gradient.is_sparse
    assert gradient.coalesce().indices().tolist() == [[7, 9]]
    assert gradient.to_dense()[7].tolist() == [2, 2]


def test_weights_get_a_gradient():
    ids = bags([1, 2], weights=[2.0, 3.0])
    weights = ids.weights.requires_grad_()
    fused_embedding(table(), ids).sum().backward()
    assert weights.grad.tolist() == [3 + 4, 5 + 6]


def test_slots_with_tables_of_their_own_read_one_stacked_table():
    first, second = table(3), table(5) * 10
    one = torch.tensor([0, 1])
    fused = fuse_slots({"a": (torch.tensor([2]), one), "b": (torch.tensor([99]), one)}, rows=[3, 5])
    out = fused_embedding(torch.cat([first, second]), fused, IdPolicy.AS_IS)
    assert torch.equal(out, torch.cat([first[2], second[4]])[None])


@pytest.mark.parametrize("form", REWRITE.forms, ids=lambda form: form.name)
@settings(max_examples=25, deadline=None)
@given(
    tokens=st.integers(0, 9),
    slots=st.integers(1, 4),
    policy=st.sampled_from([IdPolicy.CLAMP, IdPolicy.MODULO]),
    seed=st.integers(0, 99),
    outside=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_every_form_equals_the_found_code_on_any_batch(form, tokens, slots, policy, seed, outside):
    generator = torch.Generator().manual_seed(seed)
    sizes = Sizes(tokens, 3, rows=6, slots=slots, outside=outside)
    batch = SlotBatch.of(drawn_slots(sizes, generator))
    weight = torch.randn(6, 3, generator=generator).requires_grad_()
    proof = parity(REWRITE, form, (weight, batch, policy, "sum"), "drawn", torch.float64)
    assert proof.holds, proof


def test_the_transposed_gradient_equals_finite_differences():
    ids = bags([1, 1, 3], [], [0, 3])
    assert torch.autograd.gradcheck(lambda weight: fused_embedding(weight, ids), table())


def test_counts_go_from_launches_and_copies_per_slot_to_two():
    case = REWRITE.case("clamped")
    inputs = case.make(0)
    slots = len(inputs[1].per_slot)
    found = count(REWRITE.reference, inputs, case.stays_on_host)
    assert (found.device_ops, found.copies) == (3 * slots + 1, 2 * slots)
    ours = count(REWRITE.forms[0], inputs, case.stays_on_host)
    assert (ours.device_ops, ours.syncs, ours.copies) == (2, 0, 2)


def test_a_policy_applied_on_the_host_leaves_one_device_operator():
    weight = table()

    def run(weight, ids):
        return fused_embedding(weight, ids, IdPolicy.AS_IS)

    form = type(REWRITE.forms[0])("as is", run, "")
    assert count(form, (weight, bags([1], [2])), (1,)).device_ops == 1


def test_saved_inputs_are_adopted():
    slots = {"a": (torch.tensor([1]), torch.tensor([0, 1]))}
    inputs = REWRITE.adopt(table(), slots, "modulo")
    assert inputs[2] is IdPolicy.MODULO
    assert torch.equal(REWRITE.reference.run(*inputs), REWRITE.forms[0].run(*inputs))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_the_forms_agree():
    inputs = REWRITE.case("clamped").make(0)
    for form in REWRITE.forms:
        cuda = torch.device("cuda")
        assert parity(REWRITE, form, inputs, "clamped", torch.float32, cuda).holds
