"""Traces of several ranks drawn as pictures: one character is 100 µs of a rank's device.

    write_ranks(folder, '''
        0  kkkAAA.kkBB
        1  kkkkkA.kkBB
    ''')

`k` computes, `m` copies, `i` is idle while the host loads data, `.` is idle, a capital letter is a
collective (`A` an all_reduce, others by `kinds`), a space is before the rank's step begins. A rank's
clock may be ahead (`ahead`, µs by rank).
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from perfkit.analysis.rank_report import RankReport
from perfkit.cli._ranks import one_rank
from tests.kineto_traces import Event, document, launch, on_device, span, write

SLOT = 100
NS = 100_000
"""One character in µs and in ns."""
BEGIN = 10_000
COMM_STREAM = 20


def ranks_of(
    folder: Path, picture: str, ahead: Mapping[int, float] | None = None, **told: Any
) -> list[RankReport]:
    """The reports of the ranks in the picture."""
    return [one_rank(str(path)) for path in write_ranks(folder, picture, ahead, **told)]


def write_ranks(
    folder: Path, picture: str, ahead: Mapping[int, float] | None = None, **told: Any
) -> list[Path]:
    """One trace file per line of the picture; `told` as in `rank_trace`."""
    rows = textwrap.dedent(picture).strip("\n").splitlines()
    parsed = [(int(row[: row.index("  ")]), row[row.index("  ") + 2 :]) for row in rows if row]
    paths = []
    for rank, cells in parsed:
        trace = rank_trace(rank, len(parsed), cells, (ahead or {}).get(rank, 0.0), **told)
        paths.append(write(folder / f"worker{rank}.1.pt.trace.json.gz", trace))
    return paths


def rank_trace(
    rank: int,
    world: int,
    cells: str,
    ahead: float = 0.0,
    kinds: Mapping[str, str] | None = None,
    sequence: bool = True,
    elements: int = 1024,
) -> dict[str, Any]:
    """One rank's trace; without `sequence` its collectives carry no number."""
    events: list[Event] = []
    begin = BEGIN + SLOT * (len(cells) - len(cells.lstrip()))
    end = BEGIN + SLOT * len(cells)
    events.append(span("user_annotation", "ProfilerStep#3", begin, end - begin))
    events.append(span("cpu_op", "aten::linear", begin, 5))
    at, number = BEGIN, 0
    for cell, run in groupby(cells):
        width = SLOT * len(list(run))
        correlation = 1 + at
        if cell == "i":
            name = "enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"
            events.append(span("user_annotation", name, at, width))
        elif cell in "km":
            kind, name = ("kernel", "gemm") if cell == "k" else ("gpu_memcpy", "Memcpy HtoD")
            call = span("", "cudaLaunchKernel", at, 1)
            events += launch(call, on_device(kind, name, at, width), correlation, None)
        elif cell.isupper():
            kind = (kinds or {}).get(cell, "allreduce")
            args = _args(kind, elements, world, number if sequence else None)
            events += _collective(kind, at, width, args)
            number += 1
        at += width
    for event in events:
        event["ts"] += ahead
    info = {"backend": "nccl", "rank": rank, "world_size": world}
    return document(events, distributedInfo=info)


def _args(kind: str, elements: int, world: int, number: int | None) -> dict[str, Any]:
    told = {
        "Collective name": kind,
        "dtype": "Float",
        "In msg nelems": elements,
        "Out msg nelems": elements,
        "Group size": world,
        "Process Group Name": "0",
        "Process Group Ranks": str(list(range(world))),
    }
    return told if number is None else {**told, "Seq": number}


def _collective(kind: str, at: float, width: float, args: dict[str, Any]) -> list[Event]:
    work = on_device("kernel", "ncclDevKernel_Generic(ncclDevKernelArgsStorage<4096ul>)", at, width)
    work = {**work, "tid": COMM_STREAM, "args": {**work["args"], "stream": COMM_STREAM}}
    call = span("", "cudaLaunchKernelExC", at - 2, 1)
    around = span("cpu_op", "record_param_comms", at - 4, 4, **{"External id": int(at)}, **args)
    return [around, *launch(call, work, 1 + int(at), None)]
