"""Peaks of current devices from their makers' documents, found by what drivers and people call them.

A name must be understood word by word. "NVIDIA A10G", "RTX 4090 Laptop GPU", "H100 MIG 3g.40gb" or a
virtual GPU are other devices than the ones whose names they contain, so no figures are given for them.
Where a name leaves the form or the memory open ("h100"), the first sheet of the model is taken, the SXM
module with the most memory, and `Peaks.device` says so and names the others. Dense figures count; the
sparse ones are on the sheet (`sheet_for`) and never a roof.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from perfkit.analysis._amd import AMD
from perfkit.analysis._nvidia import NVIDIA
from perfkit.analysis._sheets import Sheet, words
from perfkit.model.peaks import Peaks
from perfkit.model.table import Column, Table

SHEETS: tuple[Sheet, ...] = (*NVIDIA, *AMD)

_DECORATION = words(
    "nvidia amd tesla instinct geforce rtx corporation gpu tensor core accelerator graphics generation "
    "hgx dgx"
)
_MODELS = frozenset(sheet.model for sheet in SHEETS)
_LONGEST_NAME = 120
_GLUED = (
    (re.compile(r"(rtx)(?=a?\d)"), r"\1 "),
    (re.compile(r"(?<=\d)(ada|sxm\d?|pcie|nvl|oam)\b"), r" \1"),
    (re.compile(r"(\d+) *(?:gb|gib)\b"), r"\1gb"),
)


@dataclass(frozen=True)
class Found:
    """The sheet of a name; `assumption` says what the name left open, empty if nothing."""

    sheet: Sheet
    assumption: str = ""


def peaks_for(name: str, compute_units: int | None = None) -> Peaks | None:
    """The figures of a device, None where the name is not understood or means none of the table.

    Args:
        name: as a driver, a trace or a person writes it.
        compute_units: SMs or CUs where known; a device that has others than its sheet says is a part
            of one (MIG, a partition), and has no figures here.
    """
    found = sheet_for(name)
    if found is None:
        return None
    units = found.sheet.units
    if compute_units is not None and units is not None and compute_units != units:
        return None
    return found.sheet.peaks(found.assumption)


def sheet_for(name: str) -> Found | None:
    """The data sheet a name means."""
    said = _words(name) if len(name) <= _LONGEST_NAME else frozenset[str]()
    models = said & _MODELS
    if len(models) != 1:
        return None
    model = next(iter(models))
    left = said - models - _DECORATION
    fitting = [
        sheet
        for sheet in SHEETS
        if sheet.model == model and left <= sheet.words | sheet.needs and sheet.needs <= left
    ]
    if not fitting:
        return None
    first, others = fitting[0], [sheet.device for sheet in fitting[1:]]
    if not others or name == first.driver:
        return Found(first)
    return Found(first, f"assumed; the name may also mean {' or '.join(others)}")


def _words(name: str) -> frozenset[str]:
    text = name.lower()
    for pattern, apart in _GLUED:
        text = pattern.sub(apart, text)
    return frozenset(re.findall(r"[a-z0-9]+", text))


def completed(measured: Peaks) -> Peaks:
    """What was measured, and from the table what was not; each figure tells which it is.

    Nothing is added that the machine at hand decides rather than the device: launches, operators, bus.
    """
    known = peaks_for(measured.device, measured.compute_units)
    if known is None:
        return measured
    return replace(
        measured,
        matmul={**known.matmul, **measured.matmul},
        vector={**known.vector, **measured.vector},
        bandwidth=measured.bandwidth or known.bandwidth,
    )


_COLUMNS = (
    Column("device"),
    Column("figure"),
    Column("dtype"),
    Column("value"),
    Column("unit"),
    Column("origin"),
    Column("source"),
)


def peaks_table(*peaks: Peaks) -> Table:
    """All known figures, one per row, with where each comes from."""
    return Table(_COLUMNS, tuple(row for each in peaks for row in _rows(each)))


def _rows(peaks: Peaks) -> list[tuple[str | float, ...]]:
    figures = [("matmul", dtype, peak, "FLOP/s") for dtype, peak in peaks.matmul.items()]
    figures += [("vector", dtype, peak, "FLOP/s") for dtype, peak in peaks.vector.items()]
    for name in ("bandwidth", "h2d_pinned", "h2d_pageable", "d2h_pinned", "d2h_pageable"):
        if (peak := getattr(peaks, name)) is not None:
            figures.append((name, "", peak, "bytes/s"))
    for name in ("launch_ns", "host_op_ns", "sync_ns"):
        if (peak := getattr(peaks, name)) is not None:
            figures.append((name.removesuffix("_ns"), "", peak, "ns"))
    return [
        (peaks.device, figure, dtype, peak.value, unit, peak.origin, peak.source)
        for figure, dtype, peak, unit in figures
    ]
