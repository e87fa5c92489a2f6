"""Send tokens to their experts at once instead of asking every expert whether it has any.

What it does
    A loop over experts that selects the rows of each (`chosen == number`), calls the expert on them and
    adds the weighted result becomes one call of `perfkit.rewrites.moe_dispatch`. Where the loop
    is recognised and the experts are not, the call to write is shown.

Why it helps
    The host waits for the device twice per expert and layer, and launches a dozen small kernels.

Why it is not safe
    Weights and choices must be [tokens, k] and x [tokens, width]; results round in another order. The
    experts are stacked in every call, which copies them: where weights do not change, stack once,
    after loading. Hooks on the experts are not called.

When not to act
    See `perfkit rewrites moe_dispatch`; `perfkit verify moe_dispatch` proves it on your own inputs.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes import _experts, _match, _seen
from perfkit.fixes._codemod import Advice, Change, Example, Fix
from perfkit.fixes._tree import File

_IMPORT = "from perfkit.rewrites.moe_dispatch import moe_dispatch, stack_experts"

_CHECK = "check shapes ([tokens, k])"


def expert_loop(file: File) -> Iterator[Change | Advice]:
    """Loops over experts."""
    for loop in file.each(cst.For):
        assert isinstance(loop, cst.For)
        if not any(word in file.code(loop) for word in ("nonzero", "where", ".any(")):
            continue
        found = _experts.dispatch(_text(file, loop))
        if found is None or _used_after(file, loop):
            continue
        between = _experts.activation(file, found.experts)
        call = f"moe_dispatch({found.x}, {found.weights}, {found.chosen}, stack_experts({found.experts})"
        if between is None:
            text = f"{_IMPORT}; {found.out} = {call}, activation) with what lies between their two layers"
            yield Advice(loop, text)
            continue
        plain = file.dotted(cst.parse_expression(between)) == "torch.relu"
        call += ")" if plain or between.endswith(".relu") else f", {between})"
        shapes = _seen.compared(file.ran(loop))
        if any(len(shape) != 2 for shape in shapes):
            text = f"the run saw choices of shapes {sorted(shapes)}, not [tokens, k]"
            yield Advice(loop, text, to_write=False)
            continue
        told = " or ".join(str(list(shape)) for shape in sorted(shapes)[:3])
        checked = f"the run saw choices of shape {told}, as they must be" if told else _CHECK
        note = f"{checked}; stack the experts once where weights do not change"
        yield Change(
            loop, _replacement(file, loop, found.out, found.x, call), False, (_IMPORT,), note
        )


def _text(file: File, loop: cst.For) -> str:
    """The loop's own lines without what stands above it."""
    return file.code(loop.with_changes(leading_lines=[]))


def _replacement(
    file: File, loop: cst.For, out: str, x: str, call: str
) -> dict[cst.CSTNode, cst.CSTNode | list[cst.CSTNode]]:
    """The call instead of the loop, and of the zeros right before it."""
    block = file.block(loop)
    before = block[block.index(loop) - 1] if block.index(loop) else None
    zeros = f"{out} = {file.torch}.zeros_like({x})"
    if isinstance(before, cst.SimpleStatementLine) and file.torch:
        text = file.code(before.with_changes(leading_lines=[])).strip()
        if text == zeros:
            new = _match.lines(f"{out} = {call}\n")[0]
            lines = [*before.leading_lines, *loop.leading_lines]
            return {before: [], loop: new.with_changes(leading_lines=lines)}
    new = _match.lines(f"{out} += {call}\n")[0]
    return {loop: new.with_changes(leading_lines=loop.leading_lines)}


def _used_after(file: File, loop: cst.For) -> bool:
    """Whether a name that only the loop binds is used outside it."""
    scope = file.scope(loop)
    for name, bound in scope.bindings.items():
        inside = [b for b in bound if loop in (b.node, *file.above(b.node)) and b.how != "aug"]
        own = inside and len(inside) == len(bound)
        if own and any(loop not in file.above(use) for use in scope.names.get(name, [])):
            return True
    return False


_MODULES = """import torch
from torch import Tensor, nn
{imported}

class Expert(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(torch.relu(self.up(x)))


class Mixture(nn.Module):
    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList(Expert(4, 8) for _ in range(3))

    def forward(self, x: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
"""
_HEAD = _MODULES.format(imported="")
_LOOP = """        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows, nth = torch.where(chosen == number)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, expert(x[rows]) * weights[rows, nth, None])
        return out
"""
_RUN = (
    "torch.manual_seed(0) and Mixture()(torch.rand(5, 4), torch.rand(5, 2), "
    "torch.tensor([[0, 1], [2, 1], [1, 0], [2, 0], [0, 2]])).detach()"
)

FIX = Fix(
    title="moe_dispatch instead of a loop over experts",
    safe=False,
    words=("for ",),
    signs=(
        r"^[ \t]*for\b[\s(]*(?:\w+\s*,\s*\w+[\s)]*\bin\s+enumerate\(|\w+\s+in\s+range\(\s*len\()",
        r"nonzero|where|\.any\(",
        r"\bindex_add_\(|\][ \t]*\+=",
    ),
    find=expert_loop,
    answers=(
        "per-expert-loop",
        "item",
        "nonzero",
        "mask_index",
        "PK102",
        "PK121",
        "PK122",
        "PK201",
    ),
    silent=(
        Example("another factor", _HEAD + _LOOP.replace("weights[rows, nth, None]", "2.0")),
        Example(
            "more is done",
            _HEAD + _LOOP.replace("            out.", "            log(rows)\n            out."),
        ),
        Example("rows used after", _HEAD + _LOOP.replace("return out", "return out, rows")),
        Example("other rows", _HEAD + _LOOP.replace("x[rows]", "x[nth]")),
    ),
    examples=(
        Example(
            "rows and choices",
            _HEAD + _LOOP,
            _MODULES.format(imported=_IMPORT + "\n")
            + "        out = moe_dispatch(x, weights, chosen, stack_experts(self.experts))\n"
            "        return out\n",
            safe=False,
            run=_RUN,
        ),
    ),
)
