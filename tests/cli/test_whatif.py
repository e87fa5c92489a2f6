"""`perfkit whatif`: errors a person can act on, the usual questions, and edits of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from perfkit.base.errors import PerfkitError
from perfkit.cli.whatif import command
from tests.kineto_traces import document, span, write
from tests.timelines import Command, as_trace, simulate

PROGRAM: list[Command] = [
    ("op", 12, 0),
    ("kernel", 4, 80),
    ("read", 0, 0),
    ("python", 60, 0),
    ("kernel", 4, 40),
]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write(tmp_path / "t.json.gz", document(as_trace(simulate(PROGRAM * 3).rows)))


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


# Mistakes.


def test_a_trace_without_a_device_is_told(tmp_path: Path) -> None:
    source = write(tmp_path / "cpu.json", document([span("cpu_op", "aten::mm", 0, 5)]))
    with pytest.raises(PerfkitError, match="nothing can be predicted") as caught:
        call(source)
    assert "CUDA" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_source_without_a_trace_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PerfkitError) as caught:
        call(tmp_path / name)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["gemm", "gemm=", "gemm=fast", "=x"])
def test_a_pace_that_is_no_number_is_a_usage_error(trace: Path, text: str) -> None:
    done = call(trace, "--faster", text)
    assert done.exit_code == 2
    assert "NAME=K" in done.output


def test_a_name_that_matches_nothing_is_told_with_names_there_are(trace: Path) -> None:
    with pytest.raises(PerfkitError, match="nothing in the trace is named aten::nope") as caught:
        call(trace, "--fuse", "aten::nope")
    assert "gemm" in str(caught.value.hint)


def test_gaps_that_nobody_recorded_are_told(tmp_path: Path) -> None:
    rows = simulate([("kernel", 4, 80)]).rows
    late = next(row for row in rows if row.category == "kernel")
    late.start += 5_000
    source = write(tmp_path / "late.json", document(as_trace(rows)))
    for edits in ((), ("--faster", "gemm=2")):
        with pytest.raises(PerfkitError, match="nothing recorded says what for"):
            call(source, *edits)


# Answers.


def _lines(done: Result) -> dict[str, list[str]]:
    """The rows by their first words."""
    rows = [line.rsplit("   ", 1)[0] for line in done.output.splitlines()]
    assert done.exit_code == 0
    return {row.split("  ")[0]: row.split() for row in rows}


def test_without_edits_the_usual_questions_are_answered(trace: Path) -> None:
    done = call(trace)
    assert "the only step replayed; unchanged, the replay is off by 0.0%" in done.output
    for question in ("without waits: aten::item", "host 2x faster", "kernel 2x faster: gemm"):
        assert question in done.output


def test_an_edit_is_predicted_to_the_microsecond(trace: Path) -> None:
    before = simulate(PROGRAM * 3).span
    after = simulate(PROGRAM * 3, waits=False).span
    done = call(trace, "--without-waits", "aten::item")
    assert f"a step takes {before} µs" in done.output
    assert f"{after} µs" in done.output
    assert "together" not in _lines(done)


def test_the_cache_is_left_alone_on_demand(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr("perfkit.io.trace_cache.cached_trace", lambda path: asked.append(path))
    assert "gemm" in call(trace, "--no-cache").output
    assert asked == []


def test_several_edits_are_answered_apart_and_together(trace: Path) -> None:
    done = call(
        trace,
        *("--without-waits", "aten::i*", "--faster", "gemm=2", "--overlap", "Memcpy*"),
        *("--capture", "cuda*", "--fuse", "cudaLaunchKernel"),
    )
    rows = _lines(done)
    assert {
        "gemm 2x faster",
        "without the waits of aten::i*",
        "cudaLaunchKernel fused into one launch",
        "Memcpy* overlapped",
        "cuda* in one CUDA graph",
        "all of these together",
    } <= set(rows)


def test_a_run_is_read_by_its_trace(tmp_path: Path, trace: Path) -> None:
    from dataclasses import replace

    from perfkit.io.rundir import save
    from tests.sample_runs import ctr_run

    folder = tmp_path / "run"
    save(replace(ctr_run(), trace="w.pt.trace.json.gz"), folder)
    (folder / "w.pt.trace.json.gz").write_bytes(trace.read_bytes())
    before = sorted(folder.iterdir())
    assert "gemm 2x faster" in call(folder, "--faster", "gemm=2").output
    assert sorted(folder.iterdir()) == before


def test_a_run_without_a_trace_is_told(tmp_path: Path) -> None:
    from perfkit.io.rundir import save
    from tests.sample_runs import ctr_run

    save(ctr_run(), tmp_path / "run")
    with pytest.raises(PerfkitError, match="has no trace"):
        call(tmp_path / "run")
