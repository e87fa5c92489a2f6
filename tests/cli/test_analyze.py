"""`perfkit analyze`, as its user meets it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from perfkit.base.errors import PerfkitError
from perfkit.cli import group
from perfkit.cli._sources import traces
from perfkit.model.diagnosis import Diagnosis
from tests.kineto_traces import document, gpu_events, needs_corpus, write


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _trace(tmp_path: Path, name: str = "run.pt.trace.json.gz") -> Path:
    return write(tmp_path / name, document(gpu_events()))


def _analyze(*args: object) -> str:
    done = CliRunner().invoke(group, ["analyze", *map(str, args)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_does_not_exist_is_one_clear_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(group, ["analyze", str(tmp_path / "nothing.json")])
    assert isinstance(done.exception, PerfkitError)
    assert "does not exist" in done.exception.message


def test_no_trace_named_is_a_users_mistake() -> None:
    assert CliRunner().invoke(group, ["analyze"]).exit_code == 2


def test_report_and_no_report_exclude_each_other(tmp_path: Path) -> None:
    args = ["analyze", str(_trace(tmp_path)), "--no-report", "--report", "x.html"]
    assert CliRunner().invoke(group, args).exit_code == 2


def test_the_verdict_and_a_page(tmp_path: Path) -> None:
    out = _analyze(_trace(tmp_path))
    assert "A step takes 1 ms with the GPU busy 3" in out
    page = tmp_path / "reports" / "run.html"
    assert str(page.relative_to(tmp_path)) in out
    text = page.read_text(encoding="utf-8")
    assert "Where the step went" in text
    assert "Idle device" in text
    assert "What each wait cost" in text


def test_without_a_page_nothing_is_written_but_the_cache(tmp_path: Path) -> None:
    trace = _trace(tmp_path)
    _analyze(trace, "--no-report", "--no-cache")
    assert {p.name for p in tmp_path.iterdir()} == {trace.name}


def test_json_is_alone_on_stdout(tmp_path: Path) -> None:
    data = json.loads(_analyze(_trace(tmp_path), "--json"))
    assert Diagnosis.from_json(data).tables["sync_waits"].records()[0]["op"] == "aten::item"
    assert not (tmp_path / "reports").exists()


def test_out_takes_the_diagnosis_and_the_page(tmp_path: Path) -> None:
    _analyze(_trace(tmp_path), "--out", tmp_path / "here")
    assert {"diagnosis.json", "run.html"} <= {p.name for p in (tmp_path / "here").iterdir()}


def test_the_cached_reading_says_the_same(tmp_path: Path) -> None:
    trace = _trace(tmp_path)
    first, second = (json.loads(_analyze(trace, "--json")) for _ in range(2))
    assert first == second


def test_a_copy_for_tensorboard(tmp_path: Path) -> None:
    target = tmp_path / "tb.pt.trace.json.gz"
    _analyze(_trace(tmp_path), "--no-report", "--tb-compat", target)
    assert b'"Runtime"' in gzip.decompress(target.read_bytes())


def test_tracks_for_perfetto(tmp_path: Path) -> None:
    target = tmp_path / "overlay.json"
    _analyze(_trace(tmp_path), "--no-report", "--perfetto", target)
    names = {event.get("name") for event in json.loads(target.read_text())["traceEvents"]}
    assert {"idle: python", "launches waiting"} <= names


def test_a_copy_is_of_one_trace(tmp_path: Path) -> None:
    args = [str(_trace(tmp_path)), str(_trace(tmp_path, "b.json")), "--perfetto", "x.json"]
    done = CliRunner().invoke(group, ["analyze", *args])
    assert isinstance(done.exception, PerfkitError)


def test_tables_as_csv(tmp_path: Path) -> None:
    _analyze(_trace(tmp_path), "--out", tmp_path / "here", "--no-report")
    assert (tmp_path / "here" / "tables" / "device_idle.csv").read_text().startswith("device,cause")


def test_a_redacted_diagnosis_names_no_path(tmp_path: Path) -> None:
    out = _analyze(_trace(tmp_path, "secret.json"), "--redact", "--json", "--out", tmp_path / "o")
    assert "secret" not in out
    assert str(tmp_path) not in out
    assert Diagnosis.from_json(json.loads(out)).tables["device_idle"].rows
    assert (tmp_path / "o" / "redacted.pt.trace.json.gz").exists()


def test_a_folder_is_searched_for_kinetos_names_first(tmp_path: Path) -> None:
    trace = _trace(tmp_path)
    (tmp_path / "settings.json").write_text("{}")
    (tmp_path / "diagnosis.json").write_text("{}")
    assert traces([str(tmp_path)]) == [str(trace)]
    assert traces([str(tmp_path / "*.gz"), str(trace)]) == [str(trace)]
    assert traces(["s3://bucket/t.json.gz"]) == ["s3://bucket/t.json.gz"]


def test_a_folder_without_a_trace_says_so(tmp_path: Path) -> None:
    with pytest.raises(PerfkitError, match="there is no trace"):
        traces([str(tmp_path)])


def test_torch_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom click.testing import CliRunner\nimport perfkit.cli\n"
        f"done = CliRunner().invoke(perfkit.cli.group, ['analyze', {str(_trace(tmp_path))!r}])\n"
        "print(done.exit_code, [m for m in ('torch', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "0 []", done.stdout + done.stderr


@needs_corpus()
def test_every_real_trace_gets_a_verdict_and_a_page(trace: Path) -> None:
    out = _analyze(trace, "--report", "page.html", "--no-cache")
    assert "A step takes" in out
    assert Path("page.html").stat().st_size > 10_000
