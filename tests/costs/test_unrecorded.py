"""Traces record no outputs: what costs work out by themselves equals what torch makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from perfkit.costs._index import NotKnown, cost
from tests.costs.live import rand, recorded_and_traced

DATA_DECIDES = {
    "aten::nonzero", "aten::masked_select", "aten::_unique2", "aten::unique_dim", "aten::bincount",
    "aten::unique_consecutive", "aten::index",
}  # fmt: skip
"""Operators whose output is as large as the data says: unknown without outputs, by right."""

AS_KERNELS_LIKE = {
    "aten::_embedding_bag", "aten::_embedding_bag_forward_only", "aten::log_sigmoid_forward",
    "aten::linalg_cholesky_ex", "aten::_linalg_solve_ex",
}  # fmt: skip
"""Operators with side outputs that are small, or differ between CPU and CUDA."""

X, IDS = rand(4, 6), torch.tensor([0, 2, 2])
MASK = torch.tensor([[True, False, True, False, True, False]] * 4)
IMAGE, VOLUME = rand(2, 4, 9, 8), rand(2, 3, 5, 6, 7)
HALF, WHOLE = rand(3, 4, dtype=torch.bfloat16), torch.arange(12).reshape(3, 4)

WORK: list[Callable[[], Any]] = [
    lambda: X + 1, lambda: X + X[0], lambda: X.add(X, alpha=2),
    lambda: WHOLE / 2, lambda: WHOLE * 2,
    lambda: HALF + rand(4), lambda: HALF * 2.0, lambda: WHOLE + 1.5, lambda: X > 0, lambda: ~MASK,
    lambda: HALF.sigmoid(), lambda: WHOLE.sqrt(), lambda: torch.where(MASK, X, 0.0),
    lambda: X.erf(),
    lambda: torch.where(MASK, X, X.double()), lambda: X.masked_fill(MASK, 1.0),
    lambda: X.clamp(0, 1),
    lambda: torch.addcmul(X, X, X[0], value=2), lambda: torch.lerp(X, X, 0.5), lambda: X.isnan(),
    lambda: X.clone().exp_(), lambda: X.clone().mul_(2), lambda: torch.rsub(X, 1), lambda: X**2,
    lambda: F.glu(X), lambda: F.dropout(X), lambda: torch.native_dropout(X, 0.5, True),
    lambda: torch.maximum(X, X[0]), lambda: torch.logical_and(MASK, MASK[0]),
    lambda: X.nan_to_num(),
    lambda: X.sum(), lambda: X.sum(0), lambda: X.sum((0, 1), keepdim=True), lambda: WHOLE.sum(1),
    lambda: X.sum(dtype=torch.float64), lambda: X.mean(-1), lambda: X.var(0), lambda: X.std(),
    lambda: torch.var_mean(X, 1), lambda: X.max(), lambda: X.max(1), lambda: torch.max(X, X[0]),
    lambda: X.amax((0, 1)), lambda: X.argmax(), lambda: X.argmax(1), lambda: MASK.any(),
    lambda: X.prod(1),
    lambda: MASK.all(1), lambda: X.logsumexp(1), lambda: torch.linalg.vector_norm(X, dim=1),
    lambda: X.norm(), lambda: X.cumsum(0), lambda: WHOLE.cumsum(0), lambda: X.cummax(1),
    lambda: X.aminmax(dim=1), lambda: X.trace(), lambda: X.logcumsumexp(1),
    lambda: MASK.count_nonzero(),
    lambda: X.clone(), lambda: X.to(torch.float16), lambda: X.half().float(),
    lambda: X.t().contiguous(),
    lambda: torch.cat([X, X], 1), lambda: torch.stack([X, X]), lambda: F.pad(X, (1, 2)),
    lambda: X.roll(1),
    lambda: F.pad(IMAGE, (1, 1, 2, 2), "reflect"), lambda: X.repeat(2, 1, 3), lambda: X.flip(0),
    lambda: X.tril(), lambda: X.expand(3, 4, 6).contiguous(), lambda: torch.diag_embed(X),
    lambda: torch.zeros(3, 2), lambda: torch.ones(3, dtype=torch.int64),
    lambda: torch.full((2, 2), 1.0),
    lambda: torch.zeros_like(X), lambda: X.new_zeros(3), lambda: torch.arange(7),
    lambda: torch.arange(1, 7),
    lambda: torch.arange(1, 7, 2), lambda: torch.arange(0.0, 1.0, 0.25),
    lambda: torch.linspace(0, 1, 5),
    lambda: torch.rand(3), lambda: torch.randn(2, 2), lambda: torch.randint(5, (3,)),
    lambda: torch.eye(3),
    lambda: torch.randperm(9), lambda: X.bernoulli(), lambda: torch.multinomial(X, 2),
    lambda: X.clone().zero_(),
    lambda: torch.tril_indices(4, 5, -1), lambda: torch.triu_indices(4, 5, 1),
    lambda: X.clone().fill_(1.0),
    lambda: F.embedding(IDS, X), lambda: F.embedding_bag(IDS, X, torch.tensor([0, 1])),
    lambda: X.gather(1, torch.zeros(4, 2, dtype=torch.int64)), lambda: X.index_select(0, IDS),
    lambda: X[IDS], lambda: X[:, IDS], lambda: X[IDS, IDS], lambda: X[IDS[:, None], IDS], lambda: X[MASK],
    lambda: X.clone().index_add_(0, IDS, X[:3]), lambda: X.clone().scatter_(0, IDS[None], 1.0),
    lambda: X.scatter_add(1, torch.zeros(4, 6, dtype=torch.int64), X), lambda: X.take(IDS),
    lambda: X.scatter_reduce(0, IDS[None], X[:1, :3], "amax"), lambda: X.index_put((IDS,), X[:3]),
    lambda: X.index_fill(1, IDS, 0.0), lambda: X.index_copy(0, IDS[:2], X[:2]),
    lambda: X.masked_select(MASK),
    lambda: X.masked_scatter(MASK, X), lambda: MASK.nonzero(), lambda: X.sort(),
    lambda: X.argsort(),
    lambda: X.sort(dim=0, stable=True), lambda: X.topk(2), lambda: X.median(1),
    lambda: X.kthvalue(2),
    lambda: IDS.unique(), lambda: torch.searchsorted(X[0], X), lambda: torch.bucketize(X, X[0]),
    lambda: IDS.unique_consecutive(), lambda: torch.bincount(IDS), lambda: X.histc(7),
    lambda: X.mode(),
    lambda: torch.repeat_interleave(IDS, output_size=4), lambda: torch.isin(IDS, IDS),
    lambda: torch.segment_reduce(X, "sum", lengths=torch.tensor([1, 3])),
    lambda: F.softmax(X, 1), lambda: F.log_softmax(HALF, 1),
    lambda: torch.softmax(HALF, 1, torch.float32),
    lambda: F.layer_norm(X, (6,)), lambda: F.layer_norm(X, (6,), X[0], X[0]),
    lambda: F.rms_norm(X, (6,)),
    lambda: F.group_norm(IMAGE, 2), lambda: F.batch_norm(IMAGE, None, None, training=True),
    lambda: F.batch_norm(IMAGE, rand(4), rand(4)), lambda: F.mse_loss(X, X),
    lambda: F.smooth_l1_loss(X, X),
    lambda: F.huber_loss(X, X, reduction="none"),
    lambda: F.binary_cross_entropy(X.sigmoid(), MASK.float()),
    lambda: F.cross_entropy(X, torch.tensor([0, 1, 2, 3])), lambda: F.max_pool2d(IMAGE, 3, 2, 1),
    lambda: F.max_pool2d(IMAGE, 2, ceil_mode=True), lambda: F.avg_pool2d(IMAGE, 3, 2, 1, True),
    lambda: F.max_pool3d(VOLUME, 2), lambda: F.avg_pool3d(VOLUME, 2),
    lambda: F.adaptive_avg_pool2d(IMAGE, 2),
    lambda: F.adaptive_max_pool2d(IMAGE, (3, 2)), lambda: F.avg_pool1d(IMAGE[0], 2),
    lambda: F.interpolate(IMAGE, scale_factor=2),
    lambda: F.interpolate(IMAGE, (5, 5), mode="bicubic"),
    lambda: F.interpolate(IMAGE, (5, 5), mode="bilinear"), lambda: F.unfold(IMAGE, 3, padding=1),
    lambda: F.fold(rand(2, 36, 8), (6, 4), 3), lambda: F.grid_sample(IMAGE, rand(2, 3, 5, 2)),
    lambda: F.affine_grid(rand(2, 2, 3), [2, 1, 4, 5]), lambda: F.pixel_shuffle(IMAGE, 2),
    lambda: F.conv1d(rand(2, 4, 9), rand(6, 2, 3), rand(6), 2, 1, 2, 2),
    lambda: F.conv2d(IMAGE, rand(8, 4, 3, 3)),
    lambda: F.conv_transpose2d(IMAGE, rand(4, 3, 3, 2), None, 2, 1, 1, 2),
    lambda: F.conv3d(VOLUME, rand(2, 3, 2, 2, 2)),
    lambda: X @ X.t(), lambda: X @ X[0], lambda: X[0] @ X[0], lambda: torch.outer(X[0], X[1]),
    lambda: torch.addmm(X[0], X, rand(6, 6)),
    lambda: torch.baddbmm(X, rand(2, 4, 3), rand(2, 3, 6)),
    lambda: torch.addbmm(X, rand(2, 4, 3), rand(2, 3, 6)), lambda: torch.addmv(X[:, 0], X, X[0]),
    lambda: torch.addr(X, X[:, 0], X[0]), lambda: torch.cdist(X, X, p=1.0), lambda: torch.pdist(X),
    lambda: torch._int_mm(WHOLE.to(torch.int8), rand(4, 2).to(torch.int8)),
    lambda: F.linear(X, X, X[:, 0]),
    lambda: F.scaled_dot_product_attention(IMAGE, IMAGE, IMAGE), lambda: torch.fft.rfft(X),
    lambda: torch.linalg.cholesky(torch.eye(4)), lambda: torch.linalg.solve(torch.eye(4), X),
    lambda: torch.quantize_per_tensor(X, 0.1, 0, torch.qint8),
    lambda: torch._weight_norm(X, X[:, :1], 0),
    lambda: torch.fake_quantize_per_tensor_affine(X, 0.1, 0, 0, 255), lambda: X.sum().item(),
    lambda: torch._foreach_add([X, X[0]], 1.0), lambda: torch._foreach_norm([X, X[0]]),
    lambda: torch._foreach_mul_([X.clone(), X[0].clone()], [2.0, 3.0]),
    lambda: torch._foreach_lerp_([X.clone()], [X], 0.5),
    lambda: torch._foreach_addcdiv_([X.clone()], [X], [X], [1.0]),
    lambda: torch._foreach_sqrt([X, X]),
]  # fmt: skip


def _with_gradients(work: Callable[[], Any]) -> Callable[[], Any]:
    def both() -> None:
        for tensor in (X, IMAGE, VOLUME):
            tensor.requires_grad_(True)
        try:
            out = work()
            first = out[0] if isinstance(out, (tuple, list)) else out
            if isinstance(first, torch.Tensor) and first.requires_grad:
                first.float().sum().backward()
        except RuntimeError as error:
            if "leaf Variable" not in str(error) and "in-place" not in str(error):
                raise
        finally:
            for tensor in (X, IMAGE, VOLUME):
                tensor.requires_grad_(False)

    return both


@pytest.mark.parametrize("work", WORK, ids=range(len(WORK)))
@pytest.mark.parametrize("gradients", [False, True])
def test_costs_are_the_same_whether_or_not_outputs_are_recorded(
    work: Callable[[], Any], gradients: bool
) -> None:
    torch.set_num_threads(1)
    for call, traced in recorded_and_traced(_with_gradients(work) if gradients else work):
        with_outputs, without = cost(call), cost(traced)
        assert not isinstance(with_outputs, NotKnown), f"{call.name}: {with_outputs.reason}"
        if isinstance(without, NotKnown):
            assert call.name in DATA_DECIDES, f"{call.name}: {without.reason}"
        elif call.name not in AS_KERNELS_LIKE:
            assert without == with_outputs, call


def test_data_that_decides_a_size_is_not_guessed_at() -> None:
    for work in (lambda: MASK.nonzero(), lambda: X[MASK], lambda: IDS.unique()):
        assert any(isinstance(cost(traced), NotKnown) for _, traced in recorded_and_traced(work))
