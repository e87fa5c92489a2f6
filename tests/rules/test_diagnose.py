"""From a run to a diagnosis: the three sentences, the tables, and nothing that stops the rest."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.run import Run
from perfkit.rules import _engine, diagnose
from perfkit.rules._engine import Looked
from tests.draw import copy, draw, item
from tests.sample_runs import ctr_run, hostile_run, lens_run


def _diagnosed(run: Run) -> Diagnosis:
    return diagnose(run, _engine.outcome)


def test_an_empty_run_claims_nothing() -> None:
    verdict = _diagnosed(Run("empty")).verdict
    assert verdict.what == "No complete step was measured; the program ran to its end."
    assert verdict.why.startswith("Nothing could be checked: ")
    assert "perfkit.step()" in verdict.next


def test_a_clean_run_says_what_was_looked_at_and_what_was_not() -> None:
    verdict = _diagnosed(draw("step  bbbb.dddd", device="cuda")).verdict
    assert verdict.what == "A step takes 4 µs."
    assert verdict.why == (
        "The checks that could look found nothing: blocking-copies, host-wait-in-step. "
        "2 could not look: idle-device, python-bound-step."
    )


def test_the_ctr_model_in_three_sentences() -> None:
    verdict = _diagnosed(ctr_run()).verdict
    assert verdict.what == (
        "A step takes 411 ms on this CPU; on CUDA it would make 130 host-device "
        "synchronisations and 62 blocking copies."
    )
    assert verdict.why == (
        "SMoE.forward makes 128 of the 130 synchronisations (model.py:20, model.py:21)."
    )
    assert verdict.next.startswith("model.py:20: ")


def test_the_lens_loss_in_three_sentences() -> None:
    verdict = _diagnosed(lens_run()).verdict
    assert verdict.why.startswith("lens_loss makes all 494 synchronisations (loss.py:14, ")


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ("cuda", "A step takes 4 µs; it makes 1 host-device synchronisation."),
        ("cpu", "on this CPU; moved to CUDA, it would make 1 host-device synchronisation."),
    ],
)
def test_the_device_decides_what_is_claimed(device: str, sentence: str) -> None:
    run = draw("step  bbbb.dddd\nsync  .....i..", i=item(), device=device)
    assert _diagnosed(run).verdict.what.endswith(sentence)


def test_a_single_copy_is_named_in_the_singular() -> None:
    run = draw("step  dddd\nsync  c...", c=copy(fix="", kind="unheard_of"))
    verdict = _diagnosed(run).verdict
    assert verdict.why == "forward makes it (train.py:31)."
    assert verdict.next == (
        "train.py:31: look at this line first; no ready advice is known for aten::_to_copy."
    )


def test_code_without_a_frame_is_no_script() -> None:
    run = draw("step  dddd\nsync  i...", i=item(stack=()))
    verdict = _diagnosed(run).verdict
    assert verdict.why == "aten::_local_scalar_dense makes it (no Python line is known)."


def test_tables_and_facts_are_there() -> None:
    diagnosis = _diagnosed(ctr_run())
    assert set(diagnosis.tables) == {
        "sync_points", "step_times", "steps", "operators", "regions", "set_up_syncs", "source",
    }  # fmt: skip
    assert diagnosis.facts["command"] == "perfkit profile evaluate.py --users 50"
    assert diagnosis.facts["program"] == "stopped after measuring (exit code 0)"
    assert diagnosis.facts["torch"] == "2.13.0+cpu"


def test_without_a_trace_there_is_no_table_of_operators() -> None:
    assert "operators" not in _diagnosed(draw("step  bbbb.dddd")).tables


@pytest.mark.parametrize("run", [ctr_run(), lens_run(), hostile_run(), Run("empty")])
def test_json_round_trip(run: Run) -> None:
    diagnosis = _diagnosed(run)
    assert Diagnosis.from_json(json.loads(json.dumps(diagnosis.to_json()))) == diagnosis


def test_a_crashed_rule_does_not_take_the_others_down(monkeypatch: pytest.MonkeyPatch) -> None:
    good = _engine.rules()

    def crash(run: Run) -> Looked:
        raise RuntimeError("boom")

    monkeypatch.setattr(_engine, "rules", lambda: {**good, "broken": crash})
    states = {outcome.rule: outcome.state for outcome in diagnose(ctr_run()).outcomes}
    assert states["broken"] == "error"
    assert states["host-wait-in-step"] == "found"


def test_a_program_that_failed_is_said_to_have_failed() -> None:
    run = replace(draw("step  bbbb.dddd", device="cuda"), ended="ValueError in step 13")
    what = _diagnosed(run).verdict.what
    assert what == "The program ended with ValueError in step 13. A step takes 4 µs."
    early = _diagnosed(Run("empty", ended="SIGTERM before the first step")).verdict.what
    assert early.endswith("the program ended with SIGTERM before the first step.")


def test_what_the_pretence_costs_stands_beside_the_step_time() -> None:
    run = replace(draw("step  bbbb.dddd", device="pretend-cuda"), overhead={"pretence": 2.0})
    assert "about 2 µs on this CPU (4 µs under the pretence)" in _diagnosed(run).verdict.what
