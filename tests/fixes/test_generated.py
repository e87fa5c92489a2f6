"""Programs drawn at random compute the same, to the last bit, before and after the safe fixes."""

from __future__ import annotations

import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from perfkit.fixes._apply import fixed
from perfkit.fixes._codemod import fixes
from tests.fixes.computed import assert_same, namespace

FIXES = fixes()
HEAD = """import torch
import torch.nn.functional as F
from torch import Tensor


def f(w: Tensor, y: Tensor, batches):
    out = []
    x = w * 1.5
    m = x > 0.5
"""
COMPARED = st.sampled_from(
    ["x > {c}", "x <= y", "torch.isnan(x)", "(x > {c}) | (y < {c})", "x.abs() < {c}", "y > {c}"]
)
BLOCKS = st.sampled_from(
    [
        "m = {mask}",
        "m = m & ({mask})",
        "x = x + 1",
        "x = x.reshape(-1)\ny = y.reshape(-1)",
        "x = x[:2]\ny = y[:2]",
        "x[m] = {c}",
        "x[{mask}] = {c}",
        "x[m] = y[m]",
        "x[m] += {c}",
        "if m.any():\n    x[m] = {c}",
        "if (m).sum() > 0:  # some\n    x[m] *= {c}\n    # two\n    x[m] = y[m]",
        "if torch.any(m).item():\n    x[m] -= {c}\nelse:\n    x = x * 2",
        "out.append(sum(m))",
        "out.append(sum(x.detach() > {c}) + 1)",
        "out.append(int(max(m.long().reshape(-1))))",
        "out.append(int(max(x.detach().flatten().argsort())))",
        "out.append(torch.tensor({c}, device=x.device))",
        "out.append(torch.tensor([x.mean().item(), (y.sum() / 2).item()], "
        "device=x.device, dtype=torch.float32))",
        "out.append(torch.tensor(x.std().item(), device=x.device))",
        "sizes = [len(b) for b in batches]\n"
        "out.append(torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes)))",
        "out.append(torch.triu(torch.ones(x.shape[0], x.shape[0]), diagonal=1).nonzero())",
        "out.append(F.one_hot(torch.arange(len(x))))",
    ]
)
LOOPS = st.sampled_from(
    [
        "total = {start}\nfor b in batches:\n    loss = F.mse_loss(x.clone() * b, y)\n"
        "    total += loss.item()\n"
        "out.append(total)",
        "total = {start}\nhits = 0\nfor b in batches:\n    hits += (x > b).sum().item()\n    if hits:\n"
        "        total += F.l1_loss(x.detach(), y).item() * len(b)\nout.append((total, hits))",
        "total = 0\nhits = 0\nfor b in batches:\n    for c in b:\n        hits += (y > c).sum().item()\n"
        "        total += float(F.mse_loss(x.detach(), y * c))\nout.append((hits, total))",
    ]
)  # fmt: skip
NUMBERS = st.sampled_from(["0", "1", "-2", "0.25", "-1.5", "True", "float('inf')", "1e3"])


@st.composite
def programs(draw: st.DrawFn) -> str:
    blocks = draw(st.lists(st.one_of(BLOCKS, BLOCKS, LOOPS), min_size=1, max_size=7))
    body = ""
    for block in blocks:
        mask = draw(COMPARED)
        text = block.replace("{mask}", mask).replace(
            "{start}", draw(st.sampled_from(["0.0", "1.5"]))
        )
        body += text.replace("{c}", draw(NUMBERS)) + "\n"
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{HEAD}{lines}    return x, m, out\n"


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(programs(), st.integers(0, 5))
def test_the_fixed_program_computes_the_same(source: str, seed: int) -> None:
    torch.set_num_threads(1)
    outcome = fixed(source.encode(), FIXES)
    assert not outcome.skipped
    assert fixed(outcome.after, FIXES).after == outcome.after
    before = _result(source, seed)
    assume(before is not None)
    assert_same(before, _result(outcome.after.decode(), seed))


def _result(source: str, seed: int) -> tuple[object, ...] | None:
    """Values and the gradient; None for a program that fails."""
    torch.manual_seed(seed)
    w = torch.randn(4, 3, requires_grad=True)
    y = torch.randn(4, 3)
    batches = [torch.randn(n) for n in torch.randint(1, 4, (seed,)).tolist()]
    batches = [b[:1] if b.numel() != 3 else b for b in batches]
    f = namespace(source)["f"]
    assert callable(f)
    try:
        x, *rest = f(w, y, batches)
    except (RuntimeError, IndexError, TypeError, ValueError):
        return None
    x.nan_to_num(posinf=2.0, neginf=-2.0).sum().backward()
    return x.detach(), *rest, w.grad
