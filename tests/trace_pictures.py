"""Traces drawn as pictures: one character is one microsecond, one row is a thread or a stream.

    events = trace('''
        step  ssssssssss.ssssssssss
        op    .aaa................     a=aten::mm
        call  ..l.......w.........     l=cudaLaunchKernel
        gpu   ....kkk.............     k=gemm
    ''')

Rows `step`, `note`, `op`, `py`, `call`, `over` are host events of one thread (`op2`, `call2`... of a
second one); `gpu` is stream 7 of device 0, `gpu2` stream 8, `gpu@1` stream 7 of device 1. A run of
one letter is one interval; a capital letter right behind it begins another of the same name. Letters
are named behind the row, steps number themselves. The n-th call named like a launch or a copy starts
the n-th piece of device work, in order of start, unless `launch={work: call}` says otherwise (by
their indices).
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from perfkit.io.chrome import read_trace
from perfkit.model.events import Events
from tests.kineto_traces import document, on_device, span, write

US = 1_000
SECOND_THREAD = 4343
_CATEGORIES = {
    "step": "user_annotation",
    "note": "user_annotation",
    "op": "cpu_op",
    "py": "python_function",
    "call": "cuda_runtime",
    "over": "overhead",
}
_LAUNCHES = ("Launch", "Memcpy", "Memset")
_START_US = 1_000


def trace(
    picture: str,
    launch: Mapping[int, int] | None = None,
    args: Mapping[str, Mapping[str, Any]] | None = None,
    **fields: Any,
) -> Events:
    """The events in the picture; `fields` are fields of the trace's document.

    `args` are further arguments of the host events of a name.
    """
    host: list[dict[str, Any]] = []
    work: list[dict[str, Any]] = []
    for line in textwrap.dedent(picture).strip().splitlines():
        row, cells, *named = line.split()
        names = dict(pair.split("=", 1) for pair in named)
        for letter, start, length in _intervals(cells):
            name = names.get(letter, letter).replace("~", " ")
            if row.startswith("gpu"):
                work.append(_work(row, name, start, length))
            else:
                host.append(_host(row, name, start, length))
    for event in host:
        event["args"].update((args or {}).get(event["name"], {}))
    _number_steps(host)
    _join(host, work, launch)
    with TemporaryDirectory() as folder:
        return read_trace(write(Path(folder) / "t.json", document([*host, *work], **fields)))


def _intervals(cells: str) -> list[tuple[str, int, int]]:
    found, at = [], 0
    for letter, group in groupby(cells):
        length = len(list(group))
        if letter != ".":
            found.append((letter.lower(), _START_US + at, length))
        at += length
    return found


def _host(row: str, name: str, start: int, length: int) -> dict[str, Any]:
    extra = {"thread": SECOND_THREAD} if row.endswith("2") else {}
    return span(_CATEGORIES[row.rstrip("2")], name, start, length, **extra)


def _work(row: str, name: str, start: int, length: int) -> dict[str, Any]:
    category = "gpu_memcpy" if "Memcpy" in name else "gpu_memset" if "Memset" in name else "kernel"
    event = on_device(category, name, start, length)
    _, _, device = row.partition("@")
    if device:
        event = {**event, "pid": int(device), "args": {**event["args"], "device": int(device)}}
    return {**event, "tid": 8} if row.endswith("2") else event


def _number_steps(host: list[dict[str, Any]]) -> None:
    steps = [event for event in host if event["name"] == "s"]
    for number, event in enumerate(steps):
        event["name"] = f"ProfilerStep#{number}"


def _join(
    host: list[dict[str, Any]], work: list[dict[str, Any]], launch: Mapping[int, int] | None
) -> None:
    calls = [e for e in host if any(word in e["name"] for word in _LAUNCHES)]
    calls.sort(key=lambda event: event["ts"])
    work.sort(key=lambda event: event["ts"])
    for number, call in enumerate(calls, start=1):
        call["args"]["correlation"] = number
    pairs = dict(enumerate(range(len(calls)))) if launch is None else launch
    for index, event in enumerate(work):
        if pairs.get(index, len(calls)) < len(calls):
            event["args"]["correlation"] = pairs[index] + 1
