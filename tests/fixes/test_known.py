"""What the text proves about a value, and what it does not."""

from __future__ import annotations

import libcst as cst
import pytest

from perfkit.fixes import _known
from perfkit.fixes._tree import File

HEAD = (
    "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor\nimport numpy as np\n"
)


def said(parameters: str, body: str) -> str:
    """What is known about the value that a function with these statements returns."""
    lines = "\n    ".join(body.split("; "))
    file = File(cst.parse_module(f"{HEAD}\n\ndef f({parameters}):\n    {lines}\n"))
    (returned,) = file.each(cst.Return)
    assert isinstance(returned, cst.Return) and returned.value is not None
    found = _known.known(file, returned.value)
    return f"{found.kind} {found.dtype}".strip()


@pytest.mark.parametrize(
    ("parameters", "body"),
    [
        ("x", "return x"),
        ("x", "return x > 0"),
        ("x: np.ndarray", "return x.sum()"),
        ("x: Tensor = None", "return x"),
        ("x: Tensor | None", "return x"),
        ("x: Tensor, c", "y = x if c else 1; return y"),
        ("x: Tensor", "for x in x: pass; return x"),
        ("x: Tensor", "x = g(x); return x"),
        ("x: Tensor", "x, y = g(); return x"),
        ("x: Tensor", "y = x.topk(2); return y"),
        ("x: Tensor", "y = x.max(dim=0); return y"),
        ("x: Tensor", "return x == 'a'"),
        ("torch", "return torch.zeros(3)"),
        ("x: Tensor", "return 0 < x < 1"),
        ("x: Tensor", "global x; return x"),
        ("n", "n += 1; return n"),
        ("n: int", "n += g(); return n"),
        ("a: list[int]", "return [len(s) * 0.5 for s in a]"),
    ],
)
def test_nothing_is_claimed(parameters: str, body: str) -> None:
    assert said(parameters, body) == ""


@pytest.mark.parametrize(
    ("parameters", "body", "expected"),
    [
        ("x: Tensor", "return x", "tensor"),
        ("x: 'torch.Tensor'", "return x.clone()", "tensor"),
        ("x: Tensor", "x = x + 1; return x", "tensor"),
        ("x: Tensor", "x += 1; return x", "tensor"),
        ("x: Tensor", "return x > 0", "tensor bool"),
        ("x: Tensor, y: Tensor", "m = (x == y) & ~x.isnan(); return m", "tensor bool"),
        ("x: Tensor", "return (x > 0).sum()", "tensor int"),
        ("x: Tensor", "return x.sum() / x.numel()", "tensor float"),
        ("x: Tensor", "return F.cross_entropy(x, x)", "tensor float"),
        ("", "return torch.zeros(3, dtype=torch.long)", "tensor int"),
        ("n: int", "return torch.arange(n)", "tensor int"),
        ("n", "return torch.arange(n)", "tensor"),
        ("x: Tensor", "return x.shape[0] * x.size(1) + len(x)", "number int"),
        ("x: Tensor", "return x.to(torch.bool)", "tensor bool"),
        ("a", "return [len(s) for s in a]", "list int"),
        ("x: Tensor", "return -x[0]", "tensor"),
        ("", "return -1_000", "number int"),
        ("", "return float('-inf')", "number float"),
    ],
)
def test_what_is_proven(parameters: str, body: str, expected: str) -> None:
    assert said(parameters, body) == expected
