"""The story of the CTR program: profile it as found, take the finding's advice, profile again.

    python benchmarks/ctr_story.py [--json FILE]

Each chapter changes one thing. `perfkit profile` runs the program under the pretend device and says
what it would ask of a GPU per step; beside it the same configuration runs plainly on the CPU, on one
thread, for time and quality. About a minute on two cores. In a notebook: `chapters()`, and `table`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfkit.workloads.ctr.running import Result, run

BATCHES = 56
"""Of 8 users each; with only the users asked about, one in eight of them is left."""

CHAPTERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("as found", {}),
    ("experts", {"moe": "auto"}),
    ("attention", {"attention": "auto"}),
    ("embedding", {"embedding": "fused", "segment_ids": "output_size"}),
    (
        "only asked rows",
        {"only_test_users": "true", "cut_history": "true", "last_layer_test_rows": "true"},
    ),
)
"""Title, and what it changes on top of the chapters before."""


@dataclass(frozen=True)
class Chapter:
    """One configuration, profiled and run.

    Attributes:
        what, why, next: the verdict of `perfkit profile`.
        syncs, copies: of a step, would make the host wait for a GPU.
        launches: of a step; None where they were not counted.
        seconds: CPU time of all batches, loading included.
        drift: largest difference of a probability from the one as found.
    """

    title: str
    settings: dict[str, str]
    what: str
    why: str
    next: str
    syncs: float
    copies: float
    launches: float | None
    seconds: float
    drift: float
    auc: float | None
    pcoc: float | None


def chapters() -> Iterator[Chapter]:
    """Every chapter, one after the other; the first is the program as found."""
    torch.set_num_threads(1)
    settings: dict[str, str] = {}
    found: Result | None = None
    for title, change in CHAPTERS:
        settings = {**settings, **change}
        diagnosis = profiled(settings)
        result = run("laptop", batches=BATCHES, **settings)
        found = found or result
        yield Chapter(
            title,
            settings,
            **diagnosis["verdict"],
            **per_step(diagnosis),
            seconds=result.cpu_s,
            drift=float(np.abs(result.probabilities - found.probabilities).max()),
            auc=result.auc,
            pcoc=result.pcoc,
        )


def profiled(settings: dict[str, str]) -> dict[str, Any]:
    """What `perfkit profile --json` says of a configuration."""
    changes = [word for item in settings.items() for word in ("--set", "=".join(item))]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "perfkit", "profile", "--json", "--no-report"]
        command += ["--stop-after", "--out", out, "-m", "perfkit.workloads.ctr"]
        command += ["--batches", str(BATCHES), *changes]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"perfkit profile ended with {done.returncode}:\n{done.stderr}")
    diagnosis: dict[str, Any] = json.loads(done.stdout)
    return diagnosis


def per_step(diagnosis: dict[str, Any]) -> dict[str, float | None]:
    """Waits, blocking copies and launches of a step."""
    points = diagnosis["tables"]["sync_points"]
    names = [column["name"] for column in points["columns"]]
    rows = [dict(zip(names, row, strict=True)) for row in points["rows"]]
    copies = sum(row["per_step"] for row in rows if row["kind"].startswith(("h2d", "d2h")))
    syncs = sum(row["per_step"] for row in rows) - copies
    launches = diagnosis["facts"].get("launches per step")
    return {
        "syncs": syncs,
        "copies": copies,
        "launches": float(launches.replace(",", "")) if launches else None,
    }


def table(told: list[Chapter]) -> Table:
    """The numbers of all chapters."""
    shown = Table(
        title="per step on a GPU, and all batches on this CPU", box=SIMPLE, padding=(0, 1, 0, 0)
    )
    for name in ("", "syncs", "copies", "launches", "CPU s", "times", "drift", "AUC", "PCOC"):
        shown.add_column(name, justify="right" if name else "left", no_wrap=True)
    for chapter in told:
        shown.add_row(
            chapter.title,
            f"{chapter.syncs:.0f}",
            f"{chapter.copies:.0f}",
            "?" if chapter.launches is None else f"{chapter.launches:.0f}",
            f"{chapter.seconds:.2f}",
            f"{told[0].seconds / chapter.seconds:.1f}x",
            f"{chapter.drift:.0e}",
            "?" if chapter.auc is None else f"{chapter.auc:.3f}",
            "?" if chapter.pcoc is None else f"{chapter.pcoc:.2f}",
        )
    return shown


def main() -> None:
    """Tell the story as it happens, then the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    options = parser.parse_args()
    console = Console(highlight=False)
    told = []
    for chapter in chapters():
        console.print(f"[bold]{chapter.title}[/bold]")
        for line in (chapter.what, chapter.why, f"Next: {chapter.next}"):
            console.print(Padding(Text(line), (0, 0, 0, 2)))
        told.append(chapter)
    console.print(table(told))
    if options.json:
        options.json.write_text(json.dumps([asdict(chapter) for chapter in told], indent=1))


if __name__ == "__main__":
    main()
