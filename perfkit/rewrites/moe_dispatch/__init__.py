"""Tokens to their experts without asking, expert by expert, whether there are any.

What it replaces
    A loop over experts: `if not mask.any(): continue`, `rows = mask.nonzero()`, the expert on
    `x[rows]`, `out[rows] += y * w`. The host waits for the device twice per expert: 16 times per
    layer of 8 experts, 128 times per layer of 64.

Why it is faster
    Sorted by expert, the choices of each expert are one slice: the host reads all counts at once
    (`sorted`, `sliced`), or none where one kernel takes all groups (`grouped`) or every expert sees
    every token (`folded`, `batched`). On the device that is 6 to 54 launches instead of 121 (E = 8).

When it wins, and when not
    On a CPU (measured, one thread): `folded` for one token and 8 experts; `grouped` for up to some
    30 choices per expert; `sorted` above, and for single tokens; `sliced` from about 100 choices per
    expert, where one gather of all rows leaves the cache. The dense forms pay for every expert: with
    4096 tokens they lose several times over to the very code they replace. On a GPU (an estimate
    from counts of launches, not measured): dense below about 1800 tokens with 8 experts of 512 x
    1024 and below 170 with 64, `grouped` above. The winner on a CPU is not the winner on a GPU;
    `choose` looks at the device. `benchmarks/moe_grid.py` shows the grid on yours.

Exact or approximate
    Exact but for rounding: the order in which a token's experts are added up. `merged` is an
    approximation: experts whose weights have a cosine similarity of 0.99 or more become one. At
    similarities of 0.98 the output changes by a tenth, so gate it on the metric of the model.
    Dropping tokens above a capacity is not offered: it makes a token's result depend on its batch.

Hazards
    `out[rows] += y` keeps one of two equal rows; so does `scatter` for the weights. Neither shows
    with distinct top-k choices, both are wrong once merged experts make two choices one (traps).
    `grouped` reads its sizes itself, unseen by dispatch, below compute capability 9 or when not in
    bfloat16; needs torch 2.9, rows of 16-byte multiples, and has no float64. The dense forms put
    every token through every expert: one that overflows gives NaN even where its weight is 0. A gate
    in bfloat16 flips 0.6 % of the choices: keep the gate in float32, `weights` may stay there.
    `index_add_` on CUDA adds in no fixed order, so the last bits vary from run to run.

Your own inputs
    `x`: [T, D]. `weights`: [T, k]. `chosen`: int64 [T, k]. `experts`: (up [E, F, D], up_bias [E, F],
    down [E, D, F], down_bias [E, D]), or a dictionary by these names; `stack_experts` makes them from
    modules, `tuple(...)` makes them plain. `activation`: a name ("relu", "silu", "gelu", ...), relu if
    left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from perfkit.rewrites._own import named_function, rebuilt
from perfkit.rewrites._rewrite import Form, Goal, Inputs, Quality, Rewrite
from perfkit.rewrites.moe_dispatch import _cases, forms, merging
from perfkit.rewrites.moe_dispatch.choosing import choose
from perfkit.rewrites.moe_dispatch.forms import Activation, Experts
from perfkit.rewrites.moe_dispatch.merging import merge_experts
from perfkit.rewrites.moe_dispatch.stacking import stack_experts

__all__ = ["moe_dispatch", "stack_experts", "merge_experts", "Experts", "REWRITE"]


def moe_dispatch(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Experts,
    activation: Activation = torch.relu,
    form: str = "",
) -> Tensor:
    """The weighted sum of each token's experts.

    Args:
        x: [T, D].
        weights: [T, k], what each choice counts.
        chosen: int64 [T, k], numbers of experts from 0 to E - 1; one may come more than once.
        experts: stacked weights, see `stack_experts`.
        activation: between the two layers of an expert, element by element.
        form: name of a form in `REWRITE.forms`; empty for the one that suits device and sizes.

    Returns:
        [T, D] in the dtype of `x`.

    Raises:
        PerfkitError: there is no form of that name.
    """
    name = form or choose(x, weights, chosen, experts, activation)
    result: Tensor = REWRITE.form(name).run(x, weights, chosen, experts, activation)
    return result


def _adopted(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Mapping[str, Tensor] | Sequence[Tensor],
    activation: str = "relu",
) -> Inputs:
    """Inputs as a file holds them."""
    stacked = rebuilt(Experts, experts)
    return x, weights, chosen, stacked, named_function(activation)


def _output_error(inputs: Inputs, found: Tensor, given: Tensor) -> Quality:
    scale = found.detach().double().square().mean().sqrt()
    error = (given - found).detach().double().square().mean().sqrt() / scale
    return Quality("root mean square error over that of the output", float(error), 0.15)


REWRITE = Rewrite(
    title="Sort tokens by expert instead of asking every expert whether it has any",
    found=(Form("found", forms.found, "never: it waits twice per expert"),),
    forms=(
        Form("as chosen", moe_dispatch, "leaves it to device and sizes, where the call happens"),
        Form("sorted", forms.by_sorting, "tens of choices per expert, and single tokens"),
        Form("sliced", forms.by_slices, "on a CPU from about 100 choices per expert"),
        Form(
            "grouped",
            forms.by_grouped_matmul,
            "few choices per expert; on a GPU from about 1000 tokens",
            unavailable=forms.no_grouped_matmul,
        ),
        Form("folded", forms.by_folding, "a handful of tokens; on a GPU up to about 1000"),
        Form("batched", forms.by_batched_matmul, "as folded; where activations differ per expert"),
        Form("loop", forms.by_loop, "the smallest change: one wait per expert instead of two"),
        Form(
            "merged",
            merging.by_merging,
            "where a metric of the model allows it; merge once, after loading",
            exact=False,
            approximates="experts with alike weights are replaced by their mean",
            quality=_output_error,
        ),
    ),
    traps=(
        Form("rows assigned", forms.rows_assigned, "never: a repeated token counts once"),
        Form("weights scattered", forms.weights_scattered, "never: a repeated expert counts once"),
    ),
    choose=choose,
    cases=(
        _cases.drawn(16, 8, width=64, inner=96),
        _cases.drawn(5, 9, top=5, width=8, inner=24),
        _cases.drawn(3, 4, width=7, inner=5),
        _cases.drawn(4, 0, width=8, inner=16),
        _cases.smooth(_cases.drawn(4, 1, width=8, inner=16)),
        _cases.smooth(_cases.drawn(5, 9, top=1, width=8, inner=24)),
        _cases.given("one expert takes all", [[2], [2], [2]]),
        _cases.smooth(_cases.given("two choices of one expert", [[1, 1], [0, 1], [3, 3], [1, 0]])),
        _cases.drawn(8, 64),
        _cases.drawn(8, 4096, dtypes=()),
        _cases.drawn(64, 512, dtypes=()),
        _cases.twins(8, 64, apart=0.1),
    ),
    goals=(
        Goal("8 experts, 64 tokens", form="as chosen", ratio=1.2, syncs=1),
        Goal("8 experts, 4096 tokens", form="as chosen", ratio=1, syncs=1),
        Goal("64 experts, 512 tokens", form="as chosen", ratio=1.3, syncs=1),
        Goal("8 experts, 64 tokens", form="sorted", device_ops=40, syncs=1),
        Goal("8 experts, 64 tokens", form="folded", device_ops=10, syncs=0),
    ),
    adopt=_adopted,
)
