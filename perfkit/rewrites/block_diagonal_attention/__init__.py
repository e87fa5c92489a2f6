"""Attention within each user of a concatenated batch, without comparing every row with every other.

What it replaces
    A mask from user numbers (`repeat_interleave`, an int64 [S, S] difference, `tril`), scores
    [H, S, S], `masked_fill` with -inf, softmax and a second product. With 14,000 rows the mask alone
    passes through 3.4 GB. The host waits twice for `repeat_interleave`, and all but a few per cent
    of the scores are thrown away.

Why it is faster
    Only rows of the same user meet: sum of squares of the lengths instead of the square of the sum.
    What must be known about the batch is worked out on the host from lengths that the host has
    anyway, once, in an `AttentionPlan` that all layers share; nothing waits.

When it wins, and when not
    On a CPU (measured, one thread): `by user` for tens of users; `buckets`, users of like length
    padded on the right, four calls at most, where users are short and many; `dense mask` for up to
    64 rows. Right-padding all users to the longest loses to the dense mask as soon as one user is
    much longer than the rest. On a GPU (an estimate from counts, not measured): `varlen`, one flash
    kernel, in half precision; else `buckets`. `by user`, the winner on a CPU, launches hundreds of
    kernels there. `flex` needs compiling, on a CPU once per batch size, and is there for masks that
    are more than this one. Nested tensors are left out: their CPU path has no causal attention.
    `choose` estimates each form from the lengths and takes the cheapest.

Exact or approximate
    Exact but for rounding. A user's rows do not depend on the other users at all in `by user`.

Hazards
    Padding on the left with `is_causal` lets rows see padding; `is_causal` with fewer queries than
    keys is aligned at the top: the first query sees the first key only (traps). A row that sees
    nothing gives NaN with a softmax by hand and 0 with SDPA; here none does: every row sees itself
    and padding repeats real rows. -1e9 instead of -inf is -inf in float16. `varlen` has no float32,
    and takes the last rows of each user as queries only. The lengths must be the host's own: read
    from the device they cost the wait that this removes (`AttentionPlan.from_offsets` does that).

Your own inputs
    `q`, `k`, `v`: [S, H, d]. `offsets`: int64 [users + 1], ascending from 0 to S. Optional: `lengths`,
    rows per user as a list; `rows`, int64 [R], the rows that ask, and `q` is [R, H, d] then. Save them
    in float16 or bfloat16 to see what half precision gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from perfkit.base.errors import PerfkitError
from perfkit.rewrites._rewrite import Form, Goal, Inputs, Rewrite
from perfkit.rewrites.block_diagonal_attention import _cases, forms
from perfkit.rewrites.block_diagonal_attention.choosing import choose_form
from perfkit.rewrites.block_diagonal_attention.flex import by_flex, no_flex
from perfkit.rewrites.block_diagonal_attention.plan import AttentionPlan
from perfkit.rewrites.block_diagonal_attention.varlen import by_varlen, no_varlen

__all__ = ["block_diagonal_attention", "AttentionPlan", "REWRITE"]

Attend = Callable[[Tensor, Tensor, Tensor, AttentionPlan], Tensor]
WhyNot = Callable[[Tensor, Tensor, Tensor, AttentionPlan], "str | None"]


def _always(q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan) -> None:
    return None


FORMS: dict[str, tuple[Attend, WhyNot, str]] = {
    "by user": (forms.by_user, _always, "on a CPU, tens of users; not on a GPU"),
    "buckets": (forms.by_buckets, _always, "many short users; on a GPU in float32"),
    "varlen": (by_varlen, no_varlen, "on a GPU in half precision"),
    "dense mask": (forms.by_mask, _always, "a few dozen rows; the smallest change"),
    "padded": (forms.by_padding, _always, "users of one length; loses to dense with a long tail"),
    "flex": (by_flex, no_flex, "on a GPU where the mask is more than this one"),
}


def block_diagonal_attention(
    q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan, form: str = ""
) -> Tensor:
    """Causal attention of every row to itself and the earlier rows of its own user.

    Args:
        q: [S, H, d], or [R, H, d] where the plan names the rows that ask.
        k: [S, H, d].
        v: [S, H, d].
        plan: made once per batch, see `AttentionPlan`; used by all layers.
        form: name of a form in `REWRITE.forms`; empty for the one that suits device and lengths.

    Returns:
        Same shape as `q`. Scores are divided by sqrt(d).

    Raises:
        PerfkitError: tensors that are not those of the plan; a form that there is not, or that
            cannot take these tensors.
    """
    if (q.shape[0], k.shape[0], v.shape[0]) != (plan.queries, plan.keys, plan.keys):
        raise PerfkitError(
            f"{q.shape[0]} queries, {k.shape[0]} keys and {v.shape[0]} values do not fit a plan of "
            f"{plan.queries} and {plan.keys}",
            "make a plan per batch, with `rows` where only some rows are queries",
        )
    if form and form not in FORMS:
        raise PerfkitError(f"there is no form {form!r}", f"there are: {', '.join(FORMS)}")
    attend, why_not, _ = FORMS[form or choose_form(q, k, v, plan)]
    reason = why_not(q, k, v, plan)
    if reason:
        raise PerfkitError(f"the form {form!r} cannot run: {reason}", "leave it to the chooser")
    return attend(q, k, v, plan)


def choose(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    lengths: Sequence[int],
    rows: Tensor | None = None,
) -> str:
    """The form for a case's inputs."""
    return choose_form(q, k, v, AttentionPlan(lengths, rows, q.device))


def _planned(attend: Callable[..., Any]) -> Callable[..., Any]:
    """A form on a case's inputs, with a plan made anew for every call: the first layer's cost."""

    def run(
        q: Tensor,
        k: Tensor,
        v: Tensor,
        offsets: Tensor,
        lengths: Sequence[int],
        rows: Tensor | None = None,
    ) -> Any:
        return attend(q, k, v, AttentionPlan(lengths, rows, q.device))

    return run


def _as_found(attend: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The found code knows the offsets on the device only."""

    def run(
        q: Tensor,
        k: Tensor,
        v: Tensor,
        offsets: Tensor,
        lengths: Sequence[int],
        rows: Tensor | None = None,
    ) -> Tensor:
        return attend(q, k, v, offsets, None if rows is None else rows.to(q.device))

    return run


def _adopted(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    offsets: Tensor,
    lengths: Tensor | Sequence[int] | None = None,
    rows: Tensor | None = None,
) -> Inputs:
    """Inputs as a file holds them; the lengths follow from the offsets."""
    known = offsets.diff() if lengths is None else torch.as_tensor(lengths)
    return (q, k, v, offsets, known.tolist(), *(() if rows is None else (rows,)))


CHOSEN = Form(
    "as chosen",
    _planned(block_diagonal_attention),
    "leaves it to device and lengths, where the call happens",
)

REWRITE = Rewrite(
    title="Let each user attend to its own rows instead of masking everybody else's",
    found=(
        Form("found", _as_found(forms.found), "never: it computes every pair of rows, and waits"),
        Form("found with SDPA", _as_found(forms.found_with_sdpa), "never: every pair still"),
    ),
    forms=(
        CHOSEN,
        *(
            Form(
                name,
                _planned(attend),
                wins,
                unavailable=_planned(why_not),
                compiles=attend is by_flex,
            )
            for name, (attend, why_not, wins) in FORMS.items()
        ),
    ),
    traps=(
        Form("padded on the left", _planned(forms.left_padded), "never: rows see padding"),
        Form(
            "aligned at the top", _planned(forms.aligned_at_the_top), "never: rows see too little"
        ),
        Form("causal only", _planned(forms.causal_only), "never: users see each other"),
    ),
    choose=choose,
    adopt=_adopted,
    cases=(
        _cases.given("no users"),
        _cases.given("users without rows", 0, 0),
        _cases.given("one row each", 1, 1, 1, gradients=False, dtypes=(torch.float64,)),
        _cases.given("hardly more than one row each", 1, 2, 1),
        _cases.given("empty users between", 0, 3, 0, 7, 1, 0, dtypes=_cases.HALF),
        _cases.given("some rows ask", 5, 0, 7, 1, 4, rows=(2, 4, 5, 9, 12, 13)),
        _cases.given("the last rows ask", 5, 3, 7, rows=(3, 4, 7, 14), dtypes=_cases.HALF),
        _cases.given("no row asks", 2, 3, rows=()),
        _cases.given("scored", 30, 1, 170, gradients=False, dtypes=(torch.float32,)),
        _cases.given("many lengths", *_cases.log_normal(20, 12, 60)),
        _cases.drawn("short", 50, 27, 150, gradients=True),
        _cases.drawn("mid", 50, 82, 420),
        _cases.drawn("heavy tail", 16, 160, 1500),
        _cases.drawn("mid, one row in ten asks", 50, 82, 420, asking=0.1),
    ),
    goals=(
        Goal("mid", form="as chosen", ratio=10, device_ops=40, syncs=0, copies=1),
        Goal("mid", form="buckets", ratio=10, device_ops=40, syncs=0, copies=1),
        Goal("short", form="as chosen", ratio=5, syncs=0),
        Goal("short", form="as chosen", ratio=2, backward=True, syncs=0),
        Goal("short", form="as chosen", against="found with SDPA", ratio=1),
        Goal("mid", form="as chosen", against="found with SDPA", ratio=1),
        Goal("heavy tail", form="as chosen", against="found with SDPA", ratio=1),
        Goal("mid, one row in ten asks", form="as chosen", against="found with SDPA", ratio=1),
    ),
)
