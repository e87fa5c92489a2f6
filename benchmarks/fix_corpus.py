"""Run every fix over installed packages: no crash, every result parses, nothing left to do after it.

    python benchmarks/fix_corpus.py torch pandas plotly [--every 10] [--unsafe] [--json FILE]

Prints per package: files, lines, files changed, changes by fix, seconds. Exit code 3 where a file was
backed out or a second run would change it again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections import Counter
from pathlib import Path

from perfkit.fixes._apply import fixed
from perfkit.fixes._codemod import fixes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="+")
    parser.add_argument("--every", type=int, default=1, help="only every n-th file")
    parser.add_argument("--unsafe", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [over(name, options.every, options.unsafe) for name in options.packages]
    for row in rows:
        print(json.dumps(row))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 3 if any(row["wrong"] for row in rows) else 0


def over(package: str, every: int, unsafe: bool) -> dict[str, object]:
    """Fix the files of an installed package in memory."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations, f"{package} is not installed"
    files = sorted(Path(spec.submodule_search_locations[0]).rglob("*.py"))[::every]
    everything = fixes()
    lines, changed, begun = 0, 0, time.perf_counter()
    counts: Counter[str] = Counter()
    places, wrong, unread = [], [], []
    for path in files:
        data = (
            path.read_bytes() + b"\nimport torch\n"
        )  # else a file without torch is not even parsed
        lines += data.count(b"\n")
        outcome = fixed(data, everything, unsafe=unsafe)
        counts.update(note.fix for note in outcome.changed)
        counts.update(f"{note.fix} (advice)" for note in outcome.advice)
        changed += outcome.after != data
        places += [f"{path.name}:{note.line} {note.fix}" for note in outcome.changed]
        if outcome.skipped:
            (wrong if "backed out" in outcome.skipped else unread).append(path.name)
        if outcome.changed and fixed(outcome.after, everything, unsafe=unsafe).changed:
            wrong.append(f"{path.name} again")
    return {
        "package": package,
        "files": len(files),
        "lines": lines,
        "changed": changed,
        "fixes": dict(counts),
        "places": places[:20],
        "unread": len(unread),
        "wrong": wrong,
        "seconds": round(time.perf_counter() - begun, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
