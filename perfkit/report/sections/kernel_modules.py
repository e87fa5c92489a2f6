"""Device time by module: the tree of `nn.Module`s, those of one class at one place together."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.model.table import Table
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Grid, Head, capped

ORDER = 60
_ROWS = 30
_INDENT = 2 * "\N{EM SPACE}"
_NUMBER = re.compile(r"_\d+$")
_ELSEWHERE = {
    "more": "smaller modules",
    "backward": "backward pass, on autograd's thread outside of modules",
    "outside": "outside of any module",
    "unknown": "no launch was recorded",
}


@dataclass
class _Group:
    """Modules of one class under one group of modules; times in ns per step."""

    title: str
    depth: int
    parent: int | None
    modules: int = 0
    calls: float = 0.0
    kernels: float = 0.0
    own_ns: float = 0.0
    total_ns: float = 0.0
    share: float = 0.0
    children: list[int] = field(default_factory=list)


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where the trace names no modules."""
    table = diagnosis.tables.get("kernel_modules")
    if table is None or not table.rows:
        return None
    groups = _groups(table)
    heads = (
        Head("Module", "code"),
        Head("Calls", "number"),
        Head("Kernels", "number"),
        Head("Its own", "number"),
        Head("With those it calls", "number"),
        Head("Share", "number"),
    )
    ranked = sorted(range(len(groups)), key=lambda i: (-groups[i].total_ns, groups[i].depth))
    kept = set(ranked[:_ROWS])
    tree = [_row(groups[index]) for index in _depth_first(groups) if index in kept]
    others = [_other(row) for row in table.records() if row["kind"] != "module"]
    rows, _ = capped([*tree, *others], 2 * _ROWS)
    lead = (
        "Device time per step by the innermost module around each launch; modules of one class at one "
        "place are one row. Shares are of the summed time of all device work, overlap included."
    )
    grid = Grid(heads, rows, len(groups) - len(kept), fixed=True)
    return Block("modules", "Kernels by module", (grid,), lead, "Modules")


def _groups(table: Table) -> list[_Group]:
    """The tree with the modules of one class under one parent together, each before its children."""
    groups: list[_Group] = []
    of_row: dict[int, int] = {}
    known: dict[tuple[int | None, str], int] = {}
    for number, row in enumerate(table.records()):
        if row["kind"] != "module":
            continue
        parent = of_row.get(row["parent"]) if isinstance(row["parent"], int) else None
        title = _NUMBER.sub("", _words.text(row["module"]))
        index = known.setdefault((parent, title), len(groups))
        if index == len(groups):
            depth = 0 if parent is None else groups[parent].depth + 1
            groups.append(_Group(title, depth, parent))
            if parent is not None:
                groups[parent].children.append(index)
        of_row[number] = index
        group = groups[index]
        group.modules += 1
        group.calls += _number(row["calls"])
        group.kernels += _number(row["kernels"])
        group.own_ns += _number(row["own_ns"])
        group.total_ns += _number(row["total_ns"])
        group.share += _number(row["share"])
    return groups


def _depth_first(groups: list[_Group]) -> list[int]:
    order: list[int] = []
    roots = [index for index, group in enumerate(groups) if group.parent is None]
    waiting = sorted(roots, key=lambda i: groups[i].total_ns)
    while waiting:
        order.append(waiting.pop())
        children = groups[order[-1]].children
        waiting += sorted(children, key=lambda i: groups[i].total_ns)
    return order


def _row(group: _Group) -> tuple[Cell, ...]:
    several = f" \N{MULTIPLICATION SIGN} {group.modules}" if group.modules > 1 else ""
    return (
        Cell(f"{_INDENT * group.depth}{group.title}{several}"),
        Cell(_words.per_step(group.calls)),
        Cell(_words.per_step(group.kernels or None)),
        Cell(_words.duration(group.own_ns or None)),
        Cell(_words.duration(group.total_ns)),
        Cell(units.share(group.share), bar=min(group.share, 1.0)),
    )


def _other(row: dict[str, Value]) -> tuple[Cell, ...]:
    share = _number(row["share"])
    return (
        Cell(f"({_ELSEWHERE.get(str(row['kind']), str(row['kind']))})"),
        Cell("–"),
        Cell(_words.per_step(row["kernels"])),
        Cell(_words.duration(row["own_ns"])),
        Cell(_words.duration(row["total_ns"])),
        Cell(units.share(share), bar=share),
    )


def _number(value: Value) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
