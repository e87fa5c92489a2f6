"""Write through a mask without asking first whether it is set anywhere.

What it does
    `if mask.any(): x[mask] = 0` becomes `x[mask] = 0`; the fixes `masked_number` and `masked_copy` take
    it from there. Also for `torch.any(mask)`, `mask.any().item()`, `mask.sum() > 0` and for operators
    such as `+=`.

Why it helps
    The test makes the host wait for the device, to save a write of nothing.

Why it is safe
    Only where every statement below the test writes a literal number, or `y[mask]` of a tensor, through
    that same mask, and x is proven to have its shape. With nothing set, such a write does nothing. What
    remains assumed: the program also works when something is set.

When not to act
    Where the test guards more than a write (a network on the chosen rows): see `masked_write` among the
    rewrites.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes import _known, _masks, _match
from perfkit.fixes._codemod import Change, Example, Fix
from perfkit.fixes._tree import Block, File
from perfkit.fixes.masked_copy import source


def any_guard(file: File) -> Iterator[Change]:
    """Tests of a mask around nothing but writes through it."""
    for node in file.each(cst.If):
        assert isinstance(node, cst.If)
        mask = _tested(file, node.test)
        body = node.body
        if mask is None or node.orelse is not None or not isinstance(body, cst.IndentedBlock):
            continue
        commented = any(line.comment for line in body.footer)
        if commented or not isinstance(file.parents[node], Block):
            continue
        if _known.mask(file, mask) and all(_writes(file, one, mask) for one in body.body):
            yield Change(node, {node: _lifted(node, body)})


def _tested(file: File, test: cst.BaseExpression) -> cst.Name | None:
    """The mask that a test asks about."""
    test = _match.method(test, "item") or test
    mask = _match.method(test, "any")
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        right = test.comparisons[0]
        if isinstance(right.operator, cst.GreaterThan) and _match.number(right.comparator) == 0:
            mask = _match.method(test.left, "sum")
    if isinstance(test, cst.Call) and file.dotted(test.func) == "torch.any" and len(test.args) == 1:
        mask = test.args[0].value
    return mask if isinstance(mask, cst.Name) else None


def _writes(file: File, statement: cst.CSTNode, mask: cst.Name) -> bool:
    if not isinstance(statement, cst.SimpleStatementLine):
        return False
    return all(_write(file, small, mask) for small in statement.body)


def _write(file: File, node: cst.CSTNode, mask: cst.Name) -> bool:
    found = _masks.write(file, node)
    if found is None or not file.same(found.mask, mask):
        return False
    copied = isinstance(node, cst.Assign) and source(file, found) is not None
    return _match.number(found.value) is not None or copied


def _lifted(node: cst.If, body: cst.IndentedBlock) -> list[cst.CSTNode]:
    """The statements on the level of the test, with its comments."""
    first, *rest = body.body
    lines = list(node.leading_lines)
    if body.header.comment is not None:
        lines.append(cst.EmptyLine(comment=body.header.comment))
    assert isinstance(first, cst.SimpleStatementLine)
    lines += first.leading_lines
    return [first.with_changes(leading_lines=lines), *rest]


_HEAD = "import torch\nfrom torch import Tensor\n\n\ndef f(x: Tensor):\n    bad = x > 3\n"

FIX = Fix(
    title="No test before a write through a mask",
    safe=True,
    words=("any(", ".sum("),
    signs=(
        r"\bif\b[\s(\w.]*\b(?:any|sum)\(",
        r"\][ \t]*[^\s\w=]{0,3}=(?!=)",
    ),
    find=any_guard,
    answers=("item", "PK101", "PK102"),
    silent=(
        Example(
            "more than a write", _HEAD + "    if bad.any():\n        x[bad] = 0\n        g()\n"
        ),
        Example(
            "an else", _HEAD + "    if bad.any():\n        x[bad] += 1\n    else:\n        g()\n"
        ),
        Example(
            "a computed value",
            _HEAD + "    if bad.any():\n        x[bad] = x[bad].max()\n    return x\n",
        ),
        Example(
            "another mask",
            _HEAD + "    low = x < 1\n    if bad.any():\n        x[low] += 1\n",
        ),
        Example("all of it", _HEAD + "    if bad.any() and bad.all():\n        x[bad] = 0\n"),
    ),
    examples=(
        Example(
            "with comments",
            _HEAD
            + "    # rare\n    if bad.any():  # spikes\n        # cut\n        x[bad] += 1\n    return x\n",
            _HEAD + "    # rare\n    # spikes\n    # cut\n    x[bad] += 1\n    return x\n",
            run="[f(torch.arange(float(n))) for n in (2, 6)]",
        ),
    ),
)
