"""perfkit bench: a workload in several configurations, with both clocks, counts and quality."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfkit.base import units
from perfkit.base.errors import PerfkitError

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = "perfkit.bench/1"
Settings = dict[str, str]


@click.command()
@click.argument("workload")
@click.option("--set", "fixed", multiple=True, metavar="KEY=VALUE", help="For all configurations.")
@click.option(
    "--sweep", "swept", multiple=True, metavar="KEY=A,B,C", help="One configuration per value."
)
@click.option("--no-found", is_flag=True, help="Leave out the found configuration as the first.")
@click.option("--hypothesis", default="", help="Why you try this; goes into the ledger.")
@click.option("--predict", multiple=True, metavar="NAME=NUMBER", help="completed_s=0.5, syncs=0.")
@click.option("--device", default="auto", help="auto, cpu or cuda.")
@click.option("--options", "list_options", is_flag=True, help="List what can be set, and end.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    help="Where the page, the JSON and the ledger go.",
)
@click.option("--ledger", type=click.Path(path_type=Path, dir_okay=False), help="Another ledger.")
def command(workload: str, list_options: bool, out: Path, **given: Any) -> None:
    """Measure ctr, lens or lookahead as found and in the configurations you name.

    Times are wall times on one thread: dispatch is when Python had handed over all work, completed
    when the device had done it. Writes bench-WORKLOAD.html and .json, and appends to ledger.jsonl.

    \b
    Examples:
      perfkit bench ctr --options
      perfkit bench ctr --set users=2 --sweep embedding=found,fused
    """
    from rich.console import Console

    from perfkit.cli._device import device_name
    from perfkit.workloads import _bench

    if workload not in _bench.workloads():
        raise PerfkitError(
            f"there is no workload {workload!r}", f"there are: {', '.join(_bench.workloads())}"
        )
    if list_options:
        for name, meaning in _bench.options(workload).items():
            click.echo(f"{name:24}{meaning}")
        return
    device = device_name(given["device"])
    predicted = {key: _number(key, value) for key, value in _pairs(given["predict"])}
    console = Console(highlight=False)
    rows: list[dict[str, Any]] = []
    sizes = _bench.sizes(workload)
    wanted = configurations(given["fixed"], given["swept"], sizes, not given["no_found"])
    for settings, base in wanted:
        expected = {} if settings == base else predicted  # nobody predicts the found program
        row = _measured(workload, settings, device, given["hypothesis"], expected)
        rows.append(row)
        found = next((r for r in rows if r["settings"] == base), None)
        row["times_found"] = _times(found, row)
        show(console, row)
    _write(workload, device, rows, out, given["ledger"] or out / "ledger.jsonl")


def configurations(
    fixed: Sequence[str], swept: Sequence[str], sizes: frozenset[str], found: bool
) -> Iterator[tuple[Settings, Settings]]:
    """(settings, those of them that are sizes), each once.

    Where `found` is wanted, the program as found comes first in every combination of sizes, so that
    like is compared with like.

    Raises:
        PerfkitError: not KEY=VALUE.
    """
    common = dict(_pairs(fixed))
    axes = [[(key, value) for value in values.split(",")] for key, values in _pairs(swept)]
    seen: list[Settings] = []
    for chosen in product(*axes):
        settings = {**common, **dict(chosen)}
        base = {key: value for key, value in settings.items() if key in sizes}
        for one in (base, settings) if found else (settings,):
            if one not in seen:
                seen.append(one)
                yield one, base


def _pairs(texts: Sequence[str]) -> list[tuple[str, str]]:
    for text in texts:
        if "=" not in text or text.startswith("="):
            raise PerfkitError(f"{text!r} is not KEY=VALUE", "for example --set attention=sdpa")
    return [(key.strip(), value.strip()) for key, _, value in (t.partition("=") for t in texts)]


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise PerfkitError(f"--predict {key}={text}: {text!r} is no number", "") from None


def _measured(
    workload: str, settings: Settings, device: str, hypothesis: str, prediction: dict[str, float]
) -> dict[str, Any]:
    from perfkit.workloads._bench import measured_apart

    found = measured_apart(workload, settings, device)
    return {
        "workload": workload,
        "settings": settings,
        "device": device,
        "hypothesis": hypothesis,
        "prediction": prediction,
        **found.to_json(),
    }


def _write(workload: str, device: str, rows: list[dict[str, Any]], out: Path, book: Path) -> None:
    import torch

    from perfkit.base.files import write_text
    from perfkit.io import ledger
    from perfkit.report import bench_page

    data, page = out / f"bench-{workload}.json", out / f"bench-{workload}.html"
    write_text(data, json.dumps({"schema": SCHEMA, "rows": rows}, indent=1))
    write_text(page, bench_page.render(workload, device, rows, data.name))
    when = datetime.now(timezone.utc).isoformat(timespec="seconds")
    for row in rows:
        ledger.append(book, {"when": when, "torch": torch.__version__, **row})
    click.echo(f"\npage    {page}\ndata    {data}\nledger  {book}")


def _times(found: dict[str, Any] | None, row: dict[str, Any]) -> float | None:
    """How many times as fast as the found program of the same sizes, by CPU time where it is known."""
    for clock in ("cpu_s", "completed_s"):
        if found is not None and found[clock] and row[clock]:
            return float(found[clock] / row[clock])
    return None


def show(console: Console, row: dict[str, Any]) -> None:
    """One configuration."""
    from perfkit.report.bench_page import measured, name, note

    console.print(f"\n[bold]{name(row)}[/]  [dim]{row['device']}, per {row['unit']}[/]")
    if row["failed"]:
        console.print(f"  failed: {row['failed']}", markup=False)
        return
    times = f", {row['times_found']:.3g} x found" if row["times_found"] else ""
    console.print(
        f"  completed {_time(row['completed_s'])}{times}; dispatch {_time(row['dispatch_s'])}"
    )
    if row["counts"]:
        counts = row["counts"]
        console.print(
            f"  {units.count(counts['device_ops'])} device ops, "
            f"{units.count(counts['syncs'])} syncs, {units.count(counts['copies'])} copies"
        )
    quality = [
        f"{key} {'–' if v is None else format(v, '.4g')}" for key, v in row["quality"].items()
    ]
    memory = f"peak memory {units.nbytes(row['peak_bytes'])}" if row["peak_bytes"] else ""
    console.print("  " + ", ".join([*quality, *filter(None, [memory])]))
    console.print(f"  {note(row)}", markup=False)
    for key, expected in row["prediction"].items():
        came = measured(row, key)
        console.print(
            f"  expected {key} {expected:.4g}, measured {'–' if came is None else f'{came:.4g}'}"
        )


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else units.ns(round(seconds * 1e9))
