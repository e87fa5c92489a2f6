"""Run every fix over whole packages: no crash, every result parses, nothing left to do after it.

    python benchmarks/fix_corpus.py torch pandas FOLDER [--every 10] [--unsafe] [--all-files]
                                    [--diff FILE] [--json FILE] [--page FILE]

A package is named as it is imported, or by its folder (then it need not be installed here). One row is
printed as each package ends, and the file at hand on stderr meanwhile: files, lines, files parsed,
changes by fix, lines per second of this process. `--all-files` also looks where the signs of a fix say
that it has nothing to do, and counts what they hide: that must be nothing. Exit code 3 where a file was
backed out, a second run would change it again, or signs hide a change. `--page` writes the rows as a
table; benchmarks/fix_corpus.md is one.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import distributions
from pathlib import Path

from perfkit.fixes._apply import Outcome, fit_to_look, fixed
from perfkit.fixes._codemod import Fix, fixes

_EVERY_SECONDS = 5.0


@dataclass
class Row:
    """What became of one package. `fixes` counts changes, `advice` calls to write by hand."""

    package: str
    unsafe: bool
    files: int = 0
    lines: int = 0
    parsed: int = 0
    changed: int = 0
    fixes: Counter[str] = field(default_factory=Counter)
    advice: Counter[str] = field(default_factory=Counter)
    unread: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("packages", nargs="+", metavar="PACKAGE")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every n-th file")
    parser.add_argument(
        "--unsafe", action="store_true", help="a second row with unsafe changes, too"
    )
    parser.add_argument("--all-files", action="store_true", help="also where signs see nothing")
    parser.add_argument("--diff", type=Path, metavar="FILE", help="write the changes there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table there")
    options = parser.parse_args()
    rows, diffs = [], []
    wanted = [(name, unsafe) for name in options.packages for unsafe in (False, options.unsafe)]
    for name, unsafe in dict.fromkeys(wanted):
        row = over(folder(name), options.every, unsafe, options.all_files, diffs)
        print(json.dumps(vars(row)), flush=True)
        rows.append(row)
    if options.diff:
        options.diff.write_text("".join(diffs), encoding="utf-8")
    if options.json:
        rows_json = [vars(row) for row in rows]
        options.json.write_text(json.dumps(rows_json, indent=1) + "\n", encoding="utf-8")
    if options.page:
        options.page.write_text(page(rows, options.every), encoding="utf-8")
    return 3 if any(row.wrong for row in rows) else 0


def folder(package: str) -> Path:
    """Where the files of a package lie."""
    if Path(package).is_dir():
        return Path(package).resolve()
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is neither a folder nor an installed package")
    return Path(spec.submodule_search_locations[0])


def over(root: Path, every: int, unsafe: bool, everywhere: bool, diffs: list[str]) -> Row:
    """Fix the files of a package in memory."""
    row, everything = Row(titled(root), unsafe), fixes()
    begun = time.process_time()
    for path in told(sorted(root.rglob("*.py"))[::every]):
        data = path.read_bytes()
        row.files += 1
        row.lines += data.count(b"\n")
        row.parsed += bool(fit_to_look(data, everything))
        outcome = fixed(data, everything, unsafe=unsafe)
        count(row, path.relative_to(root).as_posix(), outcome, everything)
        if outcome.changed:
            diffs.append(outcome.diff(path.relative_to(root.parent).as_posix()))
        if everywhere and hidden(data, outcome, everything, unsafe):
            row.wrong.append(f"{path.relative_to(root).as_posix()}: signs hide a change")
    row.seconds = round(time.process_time() - begun, 1)
    return row


def count(row: Row, name: str, outcome: Outcome, everything: Mapping[str, Fix]) -> None:
    """Take one file down."""
    row.fixes.update(note.fix for note in outcome.changed)
    row.advice.update(note.fix for note in outcome.advice)
    row.changed += outcome.after != outcome.before
    if "backed out" in outcome.skipped:
        row.wrong.append(f"{name}: {outcome.skipped}")
    elif outcome.skipped:
        row.unread.append(name)
    if outcome.changed and fixed(outcome.after, everything, unsafe=row.unsafe).changed:
        row.wrong.append(f"{name}: changes again")


def hidden(data: bytes, outcome: Outcome, everything: Mapping[str, Fix], unsafe: bool) -> bool:
    """Whether more would change without the signs."""
    blind = {name: replace(fix, signs=()) for name, fix in everything.items()}
    found = fixed(data, blind, unsafe=unsafe)
    return [found.after, found.advice, found.held] != [
        outcome.after,
        outcome.advice,
        outcome.held,
    ]


def told(files: list[Path]) -> Iterator[Path]:
    """The files; the one at hand is named on stderr from time to time."""
    last = time.monotonic()
    for number, path in enumerate(files, start=1):
        if time.monotonic() - last > _EVERY_SECONDS:
            last = time.monotonic()
            print(f"{number} of {len(files)}: {path.name}", file=sys.stderr)
        yield path


def titled(root: Path) -> str:
    """`torch_geometric 2.8.1`; the name alone where no version is written beside it."""
    for one in distributions(path=[str(root.parent)]):
        if one.metadata["Name"].replace("-", "_").lower() == root.name.lower():
            return f"{root.name} {one.version}"
    return root.name


def page(rows: list[Row], every: int) -> str:
    """The rows as a page of Markdown."""
    named = "every file" if every == 1 else f"one file in {every}"
    lines = [
        "# Fixes over whole packages",
        "",
        f"Written by `benchmarks/fix_corpus.py`: {named}, changed in memory. Wrong is a result that does not "
        "parse, a second run that would change more, or, with `--all-files`, a change that the signs of a "
        "fix hide. Parsed are the files in which the signs of a fix occur.",
        "",
        "| package | changes | files | lines | parsed | lines/s | wrong | changed files | changes by fix "
        "| told, not done |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for row in rows:
        kind = "safe and unsafe" if row.unsafe else "safe"
        speed = round(row.lines / row.seconds) if row.seconds else 0
        numbers = (row.files, row.lines, row.parsed, speed, len(row.wrong), row.changed)
        said = " | ".join(f"{number:,}" for number in numbers)
        lines.append(
            f"| {row.package} | {kind} | {said} | {listed(row.fixes)} | {listed(row.advice)} |"
        )
    return "\n".join(lines) + "\n"


def listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.most_common()) or "none"


if __name__ == "__main__":
    sys.exit(main())
