"""The run that the project commits: it opens, is judged, is shown, and tells nothing of a machine."""

from __future__ import annotations

import gzip
import io
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from perfkit.io.chrome import read_trace
from perfkit.io.rundir import load, load_diagnosis
from perfkit.report import html, terminal
from perfkit.rules import _engine, diagnose

RUN = Path(__file__).resolve().parents[1] / "profiles" / "ctr-found"
CACHE = "*.parquet"  # what reading leaves beside a trace; git ignores it
_NUMBERS = re.compile(r"\d[\d.,]*(?:–\d[\d.,]*)? (?:ns|µs|ms|s)\b|\d[\d.]*x")
_LAYOUT = re.compile(r"\s+")


def test_it_is_small() -> None:
    files = [file for file in RUN.iterdir() if not file.match(CACHE)]
    assert sum(file.stat().st_size for file in files) < 400_000


def test_it_opens_with_its_trace() -> None:
    run = load(RUN)
    assert run.trace is not None and run.device == "pretend-cuda"
    events = read_trace(RUN / run.trace)
    events.self_check()
    assert len(events.steps()) == len(run.steps_measured("light")) == 3


def test_it_can_be_judged_again_and_says_what_it_said() -> None:
    run = load(RUN)
    assert run.trace is not None
    before = load_diagnosis(RUN)
    after = diagnose(replace(run, events=read_trace(RUN / run.trace)), _engine.outcome)
    assert len(after.tables["sync_points"].rows) == len(before.tables["sync_points"].rows)
    assert "37 host-device synchronisations and 62 blocking copies" in after.verdict.what
    assert "37 host-device synchronisations and 62 blocking copies" in before.verdict.what


def test_its_verdict_reads_as_agreed(golden: Callable[[str, str], None]) -> None:
    stream = io.StringIO()
    terminal.render(load_diagnosis(RUN), Console(file=stream, width=80))
    text = _LAYOUT.sub(" ", _NUMBERS.sub("N", stream.getvalue()))
    golden("ctr_found.terminal.txt", text.strip().replace(" . ", "\n") + "\n")


def test_its_page_is_made() -> None:
    page = html.render(load_diagnosis(RUN))
    assert page.startswith("<!doctype html>") and "perfkit/workloads/ctr/model.py" in page


def test_it_tells_nothing_of_the_machine_it_was_made_on(tmp_path: Path) -> None:
    shutil.copytree(RUN, tmp_path / "run", ignore=shutil.ignore_patterns(CACHE))
    for file in (tmp_path / "run").iterdir():
        data = file.read_bytes()
        text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode()
        assert re.search(r"/(?:home|root|work|tmp|usr|opt|Users|mnt)\b", text) is None, file
        assert "host_name" not in text and "username" not in text
