from __future__ import annotations

import re
from pathlib import Path

import pytest

from perfkit.exports.tensorboard import tensorboard
from perfkit.io.chrome import read_trace
from tests.kineto_traces import document, gpu_events, write

_PLUGINS_PATTERN = re.compile(r"^(.*?)(\.\d+)?\.pt\.trace\.json(?:\.gz)?$")


@pytest.mark.parametrize(
    ("name", "worker"),
    [
        ("h100.json.gz", "h100"),
        ("trace.json", "trace"),
        ("host_1.1694128201545.pt.trace.json.gz", "host_1"),
        ("gpt-1.5.json", "gpt-1_5"),
    ],
)
def test_any_trace_gets_a_name_that_the_plugin_finds(
    tmp_path: Path, name: str, worker: str
) -> None:
    source = write(tmp_path / "in" / name, document(gpu_events()))
    target, gaps = tensorboard(source, tmp_path / "logdir")
    match = _PLUGINS_PATTERN.match(target.name)
    assert match is not None and target.name == f"{worker}.pt.trace.json.gz"
    assert target.parent == tmp_path / "logdir"
    assert (len(read_trace(target)), gaps) == (len(read_trace(source)), ())
