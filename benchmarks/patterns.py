"""Precision and recall of the sync detector over one-line patterns, sync and look-alike.

Runs every pattern of `_patterns` under the pretend device and prints what was expected and what was
seen. Exit code 1 when any pattern was told wrong.

    python benchmarks/patterns.py [--wrong] [--match TEXT] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from _patterns import PATTERNS, SYNC_WARNING, Totals, Verdict, applicable, ratio, run, totals
from rich.console import Console
from rich.table import Table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write; 0 when every pattern was told right."""
    options = _parse(arguments)
    torch.set_num_threads(1)
    chosen = [
        pattern
        for pattern in applicable((*PATTERNS, *SYNC_WARNING))
        if options.match in pattern.name or options.match in pattern.line
    ]
    with tempfile.TemporaryDirectory() as folder:
        verdicts = [run(pattern, Path(folder)) for pattern in chosen]
    shown = [verdict for verdict in verdicts if not (options.wrong and verdict.right)]
    console = Console(soft_wrap=False)
    console.print(_table(shown))
    console.print(_summary(totals(verdicts)))
    if options.json:
        options.json.write_text(json.dumps(_document(verdicts), indent=1), encoding="utf-8")
    return 0 if all(verdict.right for verdict in verdicts) else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as JSON")
    parser.add_argument("--wrong", action="store_true", help="print only what was told wrong")
    parser.add_argument("--match", default="", metavar="TEXT", help="only names or lines with TEXT")
    return parser.parse_args(arguments)


def _table(verdicts: Sequence[Verdict]) -> Table:
    table = Table(title="Sync patterns under the pretend device", title_justify="left")
    for column in ("pattern", "line", "expected", "seen", "verdict"):
        table.add_column(column, overflow="fold")
    for verdict in verdicts:
        pattern = verdict.pattern
        cells = (
            pattern.name,
            pattern.line,
            _counts(pattern.expected),
            _counts(verdict.seen),
            verdict.problem or "right",
        )
        table.add_row(*(cell.replace("[", "\\[") for cell in cells))
    return table


def _counts(counts: Mapping[str, int | str]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in counts.items()) or "silent"


def _summary(total: Totals) -> str:
    return "\n".join(
        (
            f"{total.right} of {total.patterns} patterns told right (torch {torch.__version__})",
            "by line:  " + _rates(total.line_hits, total.line_false, total.line_missed),
            "by count: " + _rates(total.hits, total.false, total.missed),
        )
    )


def _rates(hits: int, false: int, missed: int) -> str:
    precision, recall = ratio(hits, false), ratio(hits, missed)
    return (
        f"precision {_percent(precision)}, recall {_percent(recall)}"
        f" ({hits} found, {false} false, {missed} missed)"
    )


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _document(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    total = totals(verdicts)
    return {
        "torch": torch.__version__,
        "totals": {
            **vars(total),
            "line_precision": ratio(total.line_hits, total.line_false),
            "line_recall": ratio(total.line_hits, total.line_missed),
            "count_precision": ratio(total.hits, total.false),
            "count_recall": ratio(total.hits, total.missed),
        },
        "rows": [
            {
                "pattern": verdict.pattern.name,
                "line": verdict.pattern.line,
                "expected": dict(verdict.pattern.expected),
                "seen": verdict.seen,
                "elsewhere": list(verdict.elsewhere),
                "right": verdict.right,
                "problem": verdict.problem,
                "source": verdict.pattern.note,
            }
            for verdict in verdicts
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
