"""What a job of GitHub Actions shows: a summary, and annotations of the repository's own lines."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from perfkit.base.errors import PerfkitError
from perfkit.cli import group
from perfkit.integrations.github import annotated, summary, write_summary
from perfkit.model.diagnosis import Outcome
from perfkit.rules import diagnose
from tests.sample_runs import PROJECT, ctr_run


@pytest.fixture(scope="module")
def diagnosis():
    return diagnose(ctr_run())


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A job whose checkout is the sample's project; the file of its step's summary."""
    monkeypatch.setenv("GITHUB_WORKSPACE", PROJECT)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return tmp_path / "summary.md"


def test_outside_of_a_job_nothing_is_written(diagnosis, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert write_summary(diagnosis) is None


def test_a_diagnosis_without_findings_annotates_nothing(diagnosis):
    assert annotated(replace(diagnosis, outcomes=(Outcome("a", "clear"),))) == ""


def test_the_summary_begins_with_the_verdict_and_goes_behind_what_is_there(diagnosis, job):
    job.write_text("before\n")
    assert write_summary(diagnosis) == job
    lines = job.read_text().splitlines()
    assert lines[:2] == ["before", "# perfkit: ctr-found"]
    assert lines[5].startswith("**A step takes 411 ms")
    assert any(line.startswith("| 1 | `model.py:18`") for line in lines)


def test_too_much_is_cut_at_a_line_and_says_so(job):
    write_summary("first line\n" * 100_000)
    text = job.read_text()
    assert len(text) <= 1_000_000
    assert text.endswith("first line\n\nCut here: the summary of a step holds 1 MiB.\n")
    write_summary("more\n")
    assert len(job.read_text()) <= 1_000_000


def test_findings_stand_beside_their_lines(diagnosis, job):
    first, second, *_ = annotated(diagnosis).splitlines()
    assert first.startswith(
        "::warning file=ctr/model.py,line=18,title=perfkit per-expert-loop::The loop over experts"
    )
    assert "(about 8.32 ms a step): Sort the tokens" in first
    assert second.startswith("::warning file=ctr/evaluate.py,line=13,")


def test_a_line_outside_of_the_checkout_is_named_in_the_text(diagnosis, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    first = annotated(diagnosis).splitlines()[0]
    assert first.startswith(f"::warning title=perfkit per-expert-loop::{PROJECT}/ctr/model.py:18: ")


def test_no_more_annotations_than_are_shown(diagnosis, job):
    many = replace(diagnosis, outcomes=diagnosis.outcomes * 4)
    assert len(many.findings()) > 10
    assert len(annotated(many).splitlines()) == 10


def test_a_summary_that_cannot_be_written_is_told(diagnosis, tmp_path):
    with pytest.raises(PerfkitError, match="cannot write"):
        write_summary(diagnosis, tmp_path / "none" / "summary.md")


def test_the_command_writes_both(diagnosis, job, tmp_path):
    file = tmp_path / "diagnosis.json"
    file.write_text(json.dumps(diagnosis.to_json()))
    done = CliRunner().invoke(group, ["report", str(file), "--format", "github"])
    assert done.exit_code == 0, done.output
    assert done.output == annotated(diagnosis)
    assert job.read_text() == summary(diagnosis)
    two = CliRunner().invoke(group, ["report", str(file), str(file), "--format", "github"])
    assert two.exit_code == 0, two.output
    assert len(job.read_text()) > len(summary(diagnosis))
