"""`perfkit peaks`: what this machine can do at most, and what data sheets say of it and others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from perfkit.base.errors import NotObservable, PerfkitError
from perfkit.cli._device import device_name

if TYPE_CHECKING:  # torch is imported only when something is measured, numpy with the tables
    from rich.table import Table

    from perfkit.model.peaks import Peak, Peaks

SCHEMA = "perfkit.peaks-shown/1"


@click.command()
@click.option("--device", default="auto", metavar="auto|cpu|cuda", help="What to measure.")
@click.option("--list", "all_sheets", is_flag=True, help="The devices of the table.")
@click.option("--show", metavar="NAME", help="The table's figures of one device, with sources.")
@click.option("--again", is_flag=True, help="Measure anew; of each figure the better one is kept.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def command(device: str, all_sheets: bool, show: str | None, again: bool, as_json: bool) -> None:
    """Measure this machine's peaks, once, and show them beside its data sheet.

    Everything that perfkit holds against a roof or a floor takes these figures: products by dtype, memory
    bandwidth, what an operator, a launch and a synchronisation cost the host, and copies over the
    bus. They are kept in the user's cache folder per device, driver, torch and number of threads.

    --list and --show measure nothing.

    \b
    Examples:
      perfkit peaks
      perfkit peaks --show h200
    """
    if all_sheets and show:
        raise click.UsageError("--list and --show are two questions: ask one")
    if (all_sheets or show) and (again or device != "auto"):
        raise click.UsageError("--list and --show measure nothing: leave out --device and --again")
    if all_sheets:
        _list(as_json)
    elif show:
        _show(show, as_json)
    else:
        _measured(device_name(device), again, as_json)


def _measured(device: str, again: bool, as_json: bool) -> None:
    from perfkit.analysis.peaks import peaks_for
    from perfkit.capture.peaks import cached_here, measured_here

    if again or cached_here(device) is None:
        click.echo("measuring: some ten seconds, best on a quiet machine", err=True)
    try:
        measured = measured_here(device, again)
    except NotObservable as reason:
        raise PerfkitError(str(reason), "perfkit peaks --show NAME needs no device") from reason
    tabulated = peaks_for(measured.device, measured.compute_units)
    if as_json:
        _print_json(measured=_json(measured), tabulated=_json(tabulated))
    else:
        _print_measured(measured, tabulated)


def _print_measured(measured: Peaks, tabulated: Peaks | None) -> None:
    names = [f"measured here: {measured.device}"]
    names.append(
        f"tabulated: {tabulated.device}, {tabulated.clock}"
        if tabulated is not None
        else "tabulated: nothing under this name (perfkit peaks --list)"
    )
    theirs = {} if tabulated is None else _figures(tabulated)
    ours = _figures(measured)
    grid = _grid("", "measured", *(("tabulated", "measured / tabulated") if theirs else ()))
    for name in sorted(ours.keys() | theirs.keys(), key=_order):
        mine, sheet = ours.get(name), theirs.get(name)
        share = f"{mine.value / sheet.value:.0%}" if mine and sheet and _stated(sheet) else ""
        beside = (_text(name, sheet, tell=True), share) if theirs else ()
        grid.add_row(name, _text(name, mine), *beside)
    _print(*names, "", grid, "", "Measured with", _sources(measured))


def _show(name: str, as_json: bool) -> None:
    from perfkit.analysis.peaks import sheet_for

    found = sheet_for(name)
    if found is None:
        raise PerfkitError(
            f"no figures for {name!r}: a part of a device, a mobile one or another one has others",
            "perfkit peaks --list names the devices of the table",
        )
    peaks, sheet = found.sheet.peaks(found.assumption), found.sheet
    if as_json:
        _print_json(
            tabulated=_json(peaks), sparse=sheet.sparse, nvlink_bytes_per_s=_link(sheet.link)
        )
        return
    grid = _grid("", "dense", "with 2:4 sparsity", "origin")
    for figure, peak in _figures(peaks).items():
        sparse = sheet.sparse.get(figure.removeprefix("product "))
        value = f"{sparse / 1e12:,.4g} TFLOP/s" if sparse and figure.startswith("product") else ""
        grid.add_row(figure, _text(figure, peak), value, peak.origin)
    facts = f"{sheet.design.name}, {_units(sheet.units)}, {sheet.clock}" + (
        f", NVLink {sheet.link:g} GB/s both ways together" if sheet.link else ""
    )
    _print(peaks.device, facts, "", grid, "", "Sources", _sources(peaks))


def _units(units: int | None) -> str:
    return "number of compute units not stated" if units is None else f"{units} compute units"


def _link(link: float | None) -> float | None:
    return None if link is None else link * 1e9


def _list(as_json: bool) -> None:
    from perfkit.analysis.peaks import SHEETS, peaks_table

    if as_json:
        tables = peaks_table(*(sheet.peaks() for sheet in SHEETS))
        _print_json(table=tables.to_json())
        return
    grid = _grid("device", "16-bit", "float32", "TF32", "8-bit float", "GB/s", "source")
    for sheet in SHEETS:
        dense = sheet.dense
        narrow = next((v for d, v in dense.items() if d.startswith("float8")), None)
        single = dense.get("float32", sheet.vector["float32"] * 1e12)
        cells = (dense.get("float16"), single, dense.get("tf32"), narrow)
        figures = ["" if value is None else f"{value / 1e12:,.4g}" for value in cells]
        grid.add_row(sheet.device, *figures, f"{sheet.bandwidth:,.0f}", sheet.source)
    _print("Dense matrix products in TFLOP/s, as the makers state them", grid)


def _figures(peaks: Peaks) -> dict[str, Peak]:
    """By name for people, in the order to show them."""
    found = {f"product {dtype}": peak for dtype, peak in peaks.matmul.items()}
    found |= {f"vector {dtype}": peak for dtype, peak in peaks.vector.items()}
    single = {
        "memory": peaks.bandwidth, "copy to device, pinned": peaks.h2d_pinned,
        "copy to device, pageable": peaks.h2d_pageable, "copy to host, pinned": peaks.d2h_pinned,
        "copy to host, pageable": peaks.d2h_pageable, "launch": peaks.launch_ns,
        "operator": peaks.host_op_ns, "synchronisation": peaks.sync_ns,
    }  # fmt: skip
    return found | {name: peak for name, peak in single.items() if peak is not None}


_ORDER = ("product", "vector", "memory", "copy", "launch", "operator", "synchronisation")


def _order(name: str) -> tuple[int, str]:
    return _ORDER.index(name.split(" ", 1)[0]), name


def _stated(sheet: Peak) -> bool:
    return sheet.origin == "tabulated"


def _text(name: str, peak: Peak | None, tell: bool = False) -> str:
    """The figure with its unit; `tell` says so where it is assumed."""
    from perfkit.base import units

    if peak is None:
        return ""
    assumed = " assumed" if tell and peak.origin == "assumed" else ""
    kind = name.split(" ", 1)[0]
    if kind in ("product", "vector"):
        scale, unit = (1e12, "TFLOP/s") if peak.value >= 1e12 else (1e9, "GFLOP/s")
        return f"{peak.value / scale:,.4g} {unit}"
    if kind in ("memory", "copy"):
        return f"{peak.value / 1e9:,.4g} GB/s{assumed}"
    return f"{units.ns(peak.value)}{assumed}"


def _sources(peaks: Peaks) -> Table:
    """Each source once, with the figures that stand on it."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for name, peak in _figures(peaks).items():
        kind, _, which = name.partition(" ")
        grouped.setdefault((kind, peak.source), []).append(which)
    grid = _grid()
    for (kind, source), each in grouped.items():
        grid.add_row(f"{kind} {', '.join(each)}".strip(), source)
    return grid


def _grid(*columns: str) -> Table:
    from rich.table import Table

    grid = Table(box=None, padding=(0, 2, 0, 0), show_header=bool(columns), header_style="bold")
    for index, name in enumerate(columns or ("", "")):
        right = bool(columns) and index > 0 and name not in ("source", "origin")
        most = None if columns or index else 30
        grid.add_column(
            name,
            justify="right" if right else "left",
            no_wrap=right,
            overflow="fold",
            max_width=most,
        )
    return grid


def _print(*parts: str | Table) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for part in parts:
        console.print(Text(part) if isinstance(part, str) else part)


def _json(peaks: Peaks | None) -> dict[str, Any] | None:
    from perfkit.io.peaks import to_json

    return None if peaks is None else to_json(peaks)


def _print_json(**parts: object) -> None:
    click.echo(json.dumps({"schema": SCHEMA, **parts}, indent=1))
