"""`perfkit report`: from a diagnosis to a page, and errors a person can act on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.shell_completion import CompletionItem
from click.testing import CliRunner, Result

from perfkit.base.errors import PerfkitError
from perfkit.cli.report import command, file_name
from perfkit.io.rundir import save
from perfkit.model.costs import OpCost
from perfkit.rules import _engine, diagnose
from tests.sample_runs import ctr_run


@pytest.fixture
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "profiles" / "ctr"
    directory.mkdir(parents=True)
    data = diagnose(ctr_run(), _engine.outcome).to_json()
    (directory / "diagnosis.json").write_text(json.dumps(data), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return directory


def _call(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


def test_a_run_directory_becomes_a_page_under_reports_and_a_verdict(run_directory: Path) -> None:
    result = _call(run_directory)
    assert result.exit_code == 0
    assert Path("reports/ctr-found.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "The loop over experts in SMoE.forward" in result.output
    assert "reports/ctr-found.html" in result.output


def test_the_page_goes_where_it_is_told(run_directory: Path, tmp_path: Path) -> None:
    assert (
        _call(run_directory / "diagnosis.json", "--out", tmp_path / "a" / "b.html").exit_code == 0
    )
    assert (tmp_path / "a" / "b.html").exists()
    assert not Path("reports").exists()


def test_json_and_markdown_go_to_stdout_alone(run_directory: Path) -> None:
    stdout = _call(run_directory, "--json").stdout
    assert json.loads(stdout) == json.loads((run_directory / "diagnosis.json").read_text())
    assert _call(run_directory, "--markdown").stdout.startswith("# perfkit: ctr-found\n")
    assert not Path("reports").exists()


@pytest.mark.parametrize(
    ("style", "beginning"),
    [
        ("md", "# perfkit: ctr-found\n"),
        ("json", "{"),
        ("terminal", "perfkit  ctr-found"),
        ("sarif", "{"),
    ],
)
def test_every_format_but_the_page_goes_to_stdout(
    run_directory: Path, style: str, beginning: str
) -> None:
    assert _call(run_directory, "--format", style).stdout.startswith(beginning)
    assert not Path("reports").exists()


def test_the_page_alone_says_where_it_is(run_directory: Path) -> None:
    assert _call(run_directory, "--format", "html").stdout == "reports/ctr-found.html\n"


def test_sarif_holds_the_findings_relative_to_this_folder(run_directory: Path) -> None:
    run = json.loads(_call(run_directory, "--format", "sarif").stdout)["runs"][0]
    assert {result["ruleId"] for result in run["results"]} >= {"per-expert-loop"}


def test_a_run_is_named_without_its_folder(run_directory: Path) -> None:
    assert _call("ctr", "--format", "md").stdout.startswith("# perfkit: ctr-found")


def test_completion_offers_the_runs_and_else_files(run_directory: Path) -> None:
    assert [item.value for item in _completed("")] == ["ctr"]
    assert [item.type for item in _completed("./x")] == ["file"]


def _completed(incomplete: str) -> list[CompletionItem]:
    (argument,) = [p for p in command.params if isinstance(p, click.Argument)]
    return argument.shell_complete(click.Context(command), incomplete)


@pytest.fixture
def other_directory(run_directory: Path) -> Path:
    """The same program in half the time and without its loop over experts."""
    before = ctr_run()
    steps = tuple(replace(s, end_ns=s.start_ns + s.duration_ns // 2) for s in before.steps)
    syncs = tuple(sync for sync in before.syncs if sync.count < 64)
    after = replace(before, name="ctr-fast", steps=steps, syncs=syncs)
    directory = run_directory.parent / "fast"
    directory.mkdir()
    data = diagnose(after, _engine.outcome).to_json()
    (directory / "diagnosis.json").write_text(json.dumps(data), encoding="utf-8")
    return directory


def test_two_runs_become_one_page_and_a_verdict(run_directory: Path, other_directory: Path) -> None:
    result = _call(run_directory, other_directory)
    assert result.exit_code == 0
    assert "A step is 2x faster" in result.output
    page = Path("reports/ctr-found-to-ctr-fast.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "per-expert-loop" in page


@pytest.mark.parametrize(
    ("style", "beginning"),
    [
        ("md", "# perfkit: ctr-found → ctr-fast\n"),
        ("json", '{\n "schema": "perfkit.comparison/1"'),
        ("terminal", "perfkit  ctr-found → ctr-fast\n"),
        ("sarif", "{"),
    ],
)
def test_two_runs_in_every_format(
    run_directory: Path, other_directory: Path, style: str, beginning: str
) -> None:
    assert _call(run_directory, other_directory, "--format", style).stdout.startswith(beginning)
    assert not Path("reports").exists()


def test_a_gate_that_holds_says_so_and_one_that_does_not_exits_with_3(
    run_directory: Path, other_directory: Path
) -> None:
    limits = ("--fail-if", "slower=5%|syncs=+1", "--format", "terminal")
    better = _call(run_directory, other_directory, *limits)
    assert (better.exit_code, "gate holds" in better.stderr) == (0, True)
    worse = _call(other_directory, run_directory, *limits)
    assert worse.exit_code == 3
    assert "gate slower=5% does not hold: a step takes 100.0% longer" in worse.stderr
    assert "gate syncs=+1 does not hold" in worse.stderr
    assert "gate" not in worse.stdout


@pytest.mark.parametrize(
    "arguments",
    [("--fail-if", "slower=5%"), ("ctr", "ctr"), ("ctr", "--for", "h200")],
    ids=["a gate of one", "three runs", "a prediction of two"],
)
def test_what_makes_no_sense_together_is_refused(
    run_directory: Path, arguments: tuple[str, ...]
) -> None:
    assert _call(run_directory, *arguments).exit_code == 2


def test_a_limit_nobody_understands_is_refused_before_anything_is_written(
    run_directory: Path, other_directory: Path
) -> None:
    with pytest.raises(PerfkitError, match="--fail-if does not understand"):
        _call(run_directory, other_directory, "--fail-if", "nicer=5%")
    assert not Path("reports").exists()


def test_runs_of_older_versions_are_compared(run_directory: Path) -> None:
    old = Path(__file__).parents[1] / "data" / "diagnosis_1.json"
    assert _call(old, run_directory, "--format", "md").exit_code == 0


def test_markdown_goes_to_a_file(run_directory: Path) -> None:
    result = _call(run_directory, "--markdown", "--out", "verdict.md")
    assert result.stdout == ""
    assert Path("verdict.md").read_text(encoding="utf-8").startswith("# perfkit")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read"),
        (b"", "not JSON"),
        (b"\x1f\x8b\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a perfkit.diagnosis/2 document"),
        (b'{"schema": "perfkit.diagnosis/1", "run": 1}', "damaged"),
    ],
    ids=["missing", "empty", "binary", "deep", "list", "damaged"],
)
def test_what_is_no_diagnosis_is_one_sentence_and_a_next_step(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "diagnosis.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PerfkitError, match=message) as caught:
        _call(file)
    assert caught.value.hint


def test_an_empty_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PerfkitError):
        _call(tmp_path)


def test_a_run_nobody_has_judged_yet_is_judged_now(tmp_path: Path) -> None:
    save(ctr_run(), tmp_path / "ctr")
    data = json.loads(_call(tmp_path / "ctr", "--json").stdout)
    assert data["schema"] == "perfkit.diagnosis/2"
    assert data["verdict"]["why"].startswith("The loop over experts in SMoE.forward makes 128")


def test_a_folder_is_no_file_to_write_to(run_directory: Path, tmp_path: Path) -> None:
    with pytest.raises(PerfkitError, match="is a folder"):
        _call(run_directory, "--out", tmp_path)


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("ctr-2026.11", "ctr-2026.11"),
        ("../../etc/passwd", "etc-passwd"),
        ("/abs", "abs"),
        ("a\x00b\\c:d", "a-b-c-d"),
        ("..", "run"),
        ("", "run"),
        ("x" * 300, "x" * 80),
    ],
)
def test_a_run_cannot_choose_where_its_page_goes(run: str, name: str) -> None:
    assert file_name(run) == name


def _costed(tmp_path: Path) -> Path:
    cost = OpCost("aten::mm", "", 2, 10**9, 10**6, 10**6, "matmul", "bfloat16")
    save(replace(ctr_run(), costs=(cost,), costed_steps=1), tmp_path / "costed")
    return tmp_path / "costed"


def test_another_device_needs_the_run_its_costs_and_a_known_name(
    run_directory: Path, tmp_path: Path
) -> None:
    with pytest.raises(PerfkitError, match="needs the run itself"):
        _call(run_directory, "--for", "h200")
    save(ctr_run(), tmp_path / "bare")
    with pytest.raises(PerfkitError, match="not recorded"):
        _call(tmp_path / "bare", "--for", "h200")
    with pytest.raises(PerfkitError, match="no figures for 'rtx 9999'"):
        _call(_costed(tmp_path), "--for", "rtx 9999")


def test_another_device_is_on_the_page_on_the_terminal_and_in_the_json(tmp_path: Path) -> None:
    run = _costed(tmp_path)
    page = tmp_path / "page.html"
    output = _call(run, "--for", "b200", "--for", "mi300x", "--out", page).output
    assert "On NVIDIA B200 a step would take" in output
    assert "not calibrated on a GPU yet" in output
    assert "On another device" in page.read_text(encoding="utf-8")
    table = json.loads(_call(run, "--for", "b200", "--json").stdout)["tables"]["other_device"]
    assert [row[1] for row in table["rows"]] == ["device", "host", "waits", "step"]
    found = json.loads(_call(run, "--for", "b200", "--json").stdout)
    assert found["facts"]["limited by"].split(" on ")[1].startswith("NVIDIA B200 (predicted)")
    assert found["tables"]["floor"]["rows"][0][0] == "NVIDIA B200"
    assert "other_device" not in json.loads(_call(run, "--json").stdout)["tables"]
