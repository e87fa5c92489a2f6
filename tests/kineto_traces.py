"""Small traces in the form in which Kineto writes them, made by hand; times in µs."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

Event = dict[str, Any]

HOST, DEVICE, STREAM = 4242, 0, 7
KERNEL_US = 300.5
COPY_US = 2.25


def span(
    category: str, name: str, ts: float, dur: float, thread: int = HOST, **args: object
) -> Event:
    """One complete event of a host thread."""
    return {
        "ph": "X",
        "cat": category,
        "name": name,
        "pid": HOST,
        "tid": thread,
        "ts": ts,
        "dur": dur,
        "args": args,
    }


def on_device(category: str, name: str, ts: float, dur: float, **args: object) -> Event:
    """One piece of device work."""
    return {
        **span(category, name, ts, dur),
        "pid": DEVICE,
        "tid": STREAM,
        "args": {"device": DEVICE, "stream": STREAM, **args},
    }


def arrow(phase: str, correlation: int, ts: float, pid: int, tid: int) -> Event:
    """One end of a launch's flow arrow."""
    event = {"ph": phase, "id": correlation, "pid": pid, "tid": tid, "ts": ts}
    return {**event, "cat": "ac2g", "name": "ac2g", **({"bp": "e"} if phase == "f" else {})}


def launch(
    call: Event, work: Event, correlation: int, external: int | None, category: str = "cuda_runtime"
) -> list[Event]:
    """A runtime call, the device work it launches, and the arrow between them."""
    ids = {"correlation": correlation, **({} if external is None else {"External id": external})}
    call = {**call, "cat": category, "args": {"cbid": 211, **ids}}
    work = {**work, "args": {**work["args"], **ids}}
    start = arrow("s", correlation, call["ts"], call["pid"], call["tid"])
    end = arrow("f", correlation, work["ts"], DEVICE, STREAM)
    return [call, start, work, end]


def gpu_step(number: int, ts: float) -> list[Event]:
    """One step of 1 000 µs: a linear layer, a kernel launched through the driver, a read."""
    external = 100 * number + 10
    return [
        span("user_annotation", f"ProfilerStep#{number}", ts, 1000, **{"External id": external}),
        on_device("gpu_user_annotation", f"ProfilerStep#{number}", ts + 200, 700),
        span("cpu_op", "aten::linear", ts + 100, 200, **{"External id": external + 1}),
        span("cpu_op", "aten::addmm", ts + 120, 150, **{"External id": external + 2}),
        *launch(
            span("", "cudaLaunchKernel", ts + 150, 10),
            on_device("kernel", "gemm", ts + 200, KERNEL_US),
            external + 1,
            external + 2,
        ),
        span("cpu_op", "triton_poi_fused_0", ts + 310, 50, **{"External id": external + 3}),
        *launch(
            span("", "cuLaunchKernel", ts + 320, 10),
            on_device("kernel", "triton_poi_fused_0", ts + 510, 40),
            external + 2,
            None,
            "cuda_driver",
        ),
        *read(ts + 600, external + 4),
    ]


def read(ts: float, external: int) -> list[Event]:
    """`.item()`: a copy to pageable memory and a wait for the stream, 60 µs blocked."""
    inner = {"External id": external + 1}
    return [
        span("cpu_op", "aten::item", ts, 100, **{"External id": external}),
        span("cpu_op", "aten::_local_scalar_dense", ts + 5, 90, **inner),
        *launch(
            span("", "cudaMemcpyAsync", ts + 10, 20),
            on_device("gpu_memcpy", "Memcpy DtoH (Device -> Pageable)", ts + 20, COPY_US, bytes=4),
            external + 1,
            external + 1,
        ),
        span("cuda_runtime", "cudaStreamSynchronize", ts + 40, 40, cbid=131, **inner),
    ]


def gpu_events() -> list[Event]:
    """Two steps on one GPU, with the marks that Kineto puts around them."""
    return [
        {"ph": "M", "name": "process_name", "pid": HOST, "tid": 0, "args": {"name": "python"}},
        *gpu_step(0, 1000.0),
        *gpu_step(1, 2000.25),
        {**span("Trace", "PyTorch Profiler (0)", 900, 2500), "pid": "Spans", "tid": "PyTorch"},
        {"ph": "i", "s": "g", "name": "Record Window End", "pid": "", "tid": "", "ts": 3500},
    ]


def document(events: list[Event], **fields: object) -> dict[str, Any]:
    """A whole trace."""
    device = {"id": 0, "name": "GPU of this test", "totalGlobalMem": 1 << 34, "numSms": 100}
    device.update(computeMajor=9, computeMinor=0, maxThreadsPerMultiprocessor=2048)
    return {"schemaVersion": 1, "deviceProperties": [device], **fields, "traceEvents": events}


def write(path: Path, trace: object) -> Path:
    """A trace as a file, compressed where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = trace if isinstance(trace, bytes) else json.dumps(trace, indent=1).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def corpus() -> list[Path]:
    """Real traces that are not part of this project; empty where there are none at hand."""
    folder = os.environ.get("PERFKIT_TRACE_CORPUS")
    return sorted(Path(folder).rglob("*.json.gz")) if folder else []


def needs_corpus(*names: str) -> pytest.MarkDecorator:
    """Parametrise a test over the real traces (all, or those named), or skip it with the reason."""
    files = [f for f in corpus() if not names or f.name.split(".json")[0] in names]
    if not files:
        return pytest.mark.parametrize(
            "trace",
            [
                pytest.param(
                    None, marks=pytest.mark.skip(reason="PERFKIT_TRACE_CORPUS has no traces")
                )
            ],
        )
    return pytest.mark.parametrize("trace", files, ids=[f.name.split(".")[0] for f in files])
