"""Real captures: silent on clean programs, and the found workloads' problems named at their lines."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from perfkit.capture.schedule import Limits
from perfkit.capture.session import Session, Settings
from perfkit.io import rundir
from perfkit.model.diagnosis import Diagnosis, Finding
from perfkit.rules import _engine, diagnose
from perfkit.workloads.ctr import __main__ as ctr
from perfkit.workloads.lens import __main__ as lens
from tests.programs.clean import convnext, dcnv2, llama

SHORT = Limits(steps=3, warmup=1)
OF_THEIR_SIZE = {"launch-bound-step", "python-bound-step", "cuda-graph-candidate"}
"""Models that fit a test really are bound by their launches, whatever their code: told, and no more."""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _diagnosed(program: Callable[[], object], folder: Path) -> Diagnosis:
    with rundir.reserved(folder / "run") as directory:
        session = Session(Settings(limits=SHORT, device="pretend-cuda"), directory)
        with session:
            program()
        return diagnose(session.finish("ran to its end", 0), _engine.outcome)


@pytest.mark.parametrize(
    "main", [convnext.main, llama.main, dcnv2.main], ids=lambda m: m.__module__
)
def test_silent(main: Callable[[], None], tmp_path: Path) -> None:
    diagnosis = _diagnosed(main, tmp_path)
    assert len(diagnosis.tables["steps"].rows) > 3
    found = [(rule, f.title) for rule, f in diagnosis.findings() if f.saving is not None]
    assert found == []
    assert {rule for rule, _ in diagnosis.findings()} <= OF_THEIR_SIZE


def _line(finding: Finding) -> str:
    place = finding.place
    return linecache.getline(place.file, place.line).strip() if place else ""


def test_the_found_ranking_model_names_its_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--batches", "8", "--users", "4", "--layers", "4"]
    diagnosis = _diagnosed(lambda: ctr.main(small), tmp_path)
    timed = [(rule, f.confidence) for rule, f in diagnosis.findings() if rule == "input-bound"]
    assert timed in ([], [("input-bound", "low")])  # what this CPU was busy with heads no verdict
    found = {(rule, _line(f)): f for rule, f in diagnosis.findings()}
    experts = found["per-expert-loop", "for number, expert in enumerate(self.experts):"]
    assert diagnosis.verdict.why == f"{experts.title}."
    lookups = found["per-slot-embedding", "for values, offsets in slots.values():"]
    assert lookups.title.startswith("28 embedding lookups one after another in RepEncoder.forward")
    copies = [f for rule, f in diagnosis.findings() if f.title.startswith("The slots are copied")]
    assert [(f.evidence["per_step"], f.rewrite) for f in copies] == [(56, "fused_embedding")]
    mask = found["host-wait-in-step", "owner = users.repeat_interleave(lengths)"]
    assert (mask.evidence["per_step"], mask.rewrite) == (2, "segment_ids")


def test_the_found_lens_loss_is_named_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    diagnosis = _diagnosed(lambda: lens.main(["--steps", "8"]), tmp_path)
    rule, first = diagnosis.findings()[0]
    assert (rule, first.rewrite) == ("per-pair-loss", "pairwise_preference_loss")
    assert _line(first).startswith("for number, sample in enumerate(samples)")
    assert first.place is not None
    assert diagnosis.verdict.why.startswith("The loss goes pair by pair in slow_dict: ")
