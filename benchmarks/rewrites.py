"""What the rewrites gain: every goal that a rewrite declares, measured here and held against it.

    python benchmarks/rewrites.py [ID...] [--rounds 5] [--json FILE]

Ratios are median CPU time per call of the found code over that of the form, turn by turn in this
process, on one thread. Device operators, synchronisations and copies are counted on the pretend
device, with the backward pass where the row says so. Each form is proven equal to the found code on
the same inputs (approximate ones pass their quality gate). Exit code 3 when a goal is not reached.

Counts are exact and the same everywhere; ratios are this machine's, and the winner on a CPU is not
always the winner on a GPU: each page (`perfkit rewrites ID`) says where they part. Without IDs whole
programs follow (`_programs`); how near the chooser of `moe_dispatch` comes to the best form of every
size is `benchmarks/moe_grid.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from _programs import Program, programs
from rich.console import Console
from rich.table import Table
from rich.text import Text

from perfkit.rewrites._measure import Asked, Row, measure, missed
from perfkit.rewrites._rewrite import Goal, rewrites

CLOCK_ROUNDS = 5


def rows_of(name: str, rounds: int) -> list[tuple[Goal, Row]]:
    """Every goal of one rewrite with what was measured."""
    declared = rewrites()[name]
    measured = []
    for goal in declared.goals:
        case = declared.case(goal.case)
        inputs = case.make(0)
        form = declared.form(goal.form) if goal.form else declared.chosen(inputs)
        against = declared.form(goal.against) if goal.against else declared.reference
        asked = Asked(case.name, against, case.stays_on_host, goal.backward, rounds)
        measured.append((goal, measure(name, declared, [form], inputs, asked)[0]))
    return measured


def show(console: Console, measured: Sequence[tuple[Goal, Row]]) -> None:
    """One line per goal."""
    table = Table(box=None, pad_edge=False)
    for column in ("rewrite", "case", "form", "against"):
        table.add_column(column, overflow="fold", no_wrap=column != "case")
    for column in ("x found", "must", "ops", "syncs", "copies", "error"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for goal, row in measured:
        reasons = missed(goal, row)
        told = Text("; ".join(reasons), "red") if reasons else Text("held", "green")
        table.add_row(*_cells(goal, row), told)
    console.print(table)


def _cells(goal: Goal, row: Row) -> list[str]:
    what = row.case + (", with backward" if goal.backward else "")
    ratio = f"{row.ratio:.3g}" if row.ratio and goal.ratio else ""
    must = f"{goal.ratio:g}" if goal.ratio else ""
    pairs = [
        _change(row, name, limit)
        for name, limit in (
            ("device_ops", goal.device_ops),
            ("syncs", goal.syncs),
            ("copies", goal.copies),
        )
    ]
    errors = (
        [e for e in (row.parity.value_error, row.parity.gradient_error) if e is not None]
        if row.parity
        else []
    )
    error = f"{max(errors):.0e}" if errors else (row.quality or "")
    return [row.rewrite, what, row.form, goal.against or "found", ratio, must, *pairs, error]


def _change(row: Row, name: str, limit: int | None) -> str:
    if row.counts is None or row.found_counts is None:
        return ""
    text = f"{getattr(row.found_counts, name)} → {getattr(row.counts, name)}"
    return text if limit is None else f"{text} (≤ {limit})"


def show_programs(console: Console, whole: Sequence[Program]) -> None:
    """One line per whole program."""
    table = Table(box=None, pad_edge=False)
    for column in ("program", "measured", "must", ""):
        table.add_column(column, overflow="fold")
    for program in whole:
        told = Text("held", "green") if program.held else Text("not reached", "red")
        table.add_row(program.what, program.measured, program.must, told)
    if whole:
        console.print()
        console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What the rewrites gain.")
    parser.add_argument("ids", nargs="*", metavar="ID", help="only these rewrites")
    parser.add_argument("--rounds", type=int, default=CLOCK_ROUNDS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    unknown = set(options.ids) - set(rewrites())
    if unknown:
        parser.error(f"no such rewrite: {', '.join(sorted(unknown))}")
    measured = []
    for name in options.ids or rewrites():
        print(f"measuring {name}", file=sys.stderr)
        measured += rows_of(name, options.rounds)
    console = Console(highlight=False, width=220)
    show(console, measured)
    whole = [] if options.ids else list(programs(options.rounds))
    show_programs(console, whole)
    if options.json:
        rows = [
            {"goal": asdict(goal), "missed": missed(goal, row), **row.to_json()}
            for goal, row in measured
        ]
        document = {"rewrites": rows, "programs": [asdict(program) for program in whole]}
        options.json.write_text(json.dumps(document, indent=1), encoding="utf-8")
    reached = not any(missed(goal, row) for goal, row in measured)
    return 0 if reached and all(program.held for program in whole) else 3


if __name__ == "__main__":
    sys.exit(main())
