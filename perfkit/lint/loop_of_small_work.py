"""A Python loop of small device operations.

**What it finds**: loops over experts, slots, pairs or rows whose body selects a part of the data
and works on it.

**Why it hurts**: each turn launches the same few small kernels: the host cannot keep the device
busy.

**Instead**: do all at once: sort by group and split, one table with offsets, one padded or packed
tensor.

**When not to act**: few turns with large work in each; layers that follow one another.
"""

from __future__ import annotations

import ast
import re

from perfkit.lint._site import Found, Site

CODE = "PK201"
KIND = None
FIX = "do all at once: sort by group and split, or one packed tensor"
_EXPERTS = re.compile(r"expert", re.IGNORECASE)
_LAYERS = re.compile(r"layers|blocks")
_SLOTS = re.compile(r"\bslots?\b|\bbags?\b|\bfeatures?\b")
_PAIRS = re.compile(r"pairs?\b|combinations\(")
_RANGE = re.compile(r"range\(|enumerate\(")

SILENT = (
    "for layer in self.layers:\n    x = layer(x)",
    "for expert in self.experts:\n    x = expert(x)",
    "for name in ('a', 'b'):\n    print(name)",
    "for n in range(3):\n    x = x + y * x.sigmoid()",
)
FOUND = (
    "for number, expert in enumerate(self.experts):  # found\n"
    "    hit = (index == number).any(-1)\n"
    "    x = x + expert(x) * hit",
    "for row in x:  # found\n    v = row.softmax(-1) * row.sum() + 1",
    "for values, offsets in slots.values():  # found\n"
    "    v = self.table(values.clamp(0, 9)) + offsets.sum()",
)


def loop(site: Site) -> Found | None:
    """`for expert in self.experts:`."""
    work = site.facts.get("work")
    if site.place.setup or site.place.host or not isinstance(work, int) or work < 3:
        return None
    if site.place.loop is not None and not isinstance(site.node, ast.For):
        return None
    what = _over(site)
    if what is None or _chained(site.node):
        return None
    header = f"the loop over {what} launches small operations in every turn"
    return Found(header, 2, node=site.node.iter if isinstance(site.node, ast.For) else None)


def _over(site: Site) -> str | None:
    over, node = site.receiver, site.node
    text = ast.unparse(node.iter) if isinstance(node, ast.For) else ""
    waits = bool(site.facts.get("waits"))
    if _EXPERTS.search(text) and not _LAYERS.search(text):
        return "experts"
    if _SLOTS.search(text):
        return "slots"
    if _PAIRS.search(text):
        return "pairs"
    if over.kind == "tensor" and over.on == "device":
        return "rows of a tensor"
    return "positions" if waits and _RANGE.match(text) and _indexed(node) else None


def _indexed(node: ast.AST) -> bool:
    """Does the body index something by the loop's own variable?"""
    name = node.target.id if isinstance(node, ast.For) and isinstance(node.target, ast.Name) else ""
    return any(
        isinstance(inner, ast.Subscript)
        and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(inner.slice))
        for inner in ast.walk(node)
    )


def _chained(node: ast.AST) -> bool:
    """`x = layer(x)`: turns that follow one another cannot be done at once."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assign) and isinstance(inner.value, ast.Call):
            names = {t.id for t in inner.targets if isinstance(t, ast.Name)}
            given = {a.id for a in inner.value.args if isinstance(a, ast.Name)}
            if names & given and isinstance(node, ast.For) and _calls_target(node, inner.value):
                return True
    return False


def _calls_target(node: ast.For, call: ast.Call) -> bool:
    names = {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
    return isinstance(call.func, ast.Name) and call.func.id in names
