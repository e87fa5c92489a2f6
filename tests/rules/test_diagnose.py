"""From a run to a diagnosis: the three sentences, the tables, and nothing that stops the rest."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from perfkit.analysis.trace_graph import trace_graph
from perfkit.analysis.trace_run import trace_run
from perfkit.io.chrome import read_trace
from perfkit.model.diagnosis import Diagnosis, Finding, Outcome, Saving
from perfkit.model.run import Run
from perfkit.rules import _engine, diagnose
from perfkit.rules._engine import Looked
from perfkit.rules._verdict import verdict
from tests.draw import copy, draw, item
from tests.kineto_traces import document, gpu_events, span, write
from tests.sample_runs import ctr_run, hostile_run, lens_run
from tests.trace_pictures import trace


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
    start = "The checks that could look found nothing: blocking-copies, "
    assert verdict.why.startswith(start)
    looked, count, could_not = re.fullmatch(
        r"(.*?)\. (\d+) could not look: (.*)\.", verdict.why.removeprefix(start)
    ).groups()  # type: ignore[union-attr]
    assert "host-wait-in-step" in looked.split(", ")
    assert {"idle-device", "python-bound-step"} <= set(could_not.split(", "))
    assert int(count) == len(could_not.split(", "))


@pytest.mark.parametrize(
    ("device", "next_step"), [("cpu", "--device pretend-cuda"), ("pretend-cuda", "--device cpu")]
)
def test_nothing_on_the_device_is_no_clean_bill(device: str, next_step: str) -> None:
    run = draw("step  bbbb.dddd", device=device, launches_per_step=0.0)
    found = _diagnosed(run)
    assert found.verdict.why.startswith("No tensor counted as on the device, ")
    assert next_step in found.verdict.next
    assert "Nothing to change" not in found.verdict.next
    states = {each.rule: each.state for each in found.outcomes}
    assert states["host-wait-in-step"] == states["blocking-copies"] == "not-observable"


def test_what_was_found_without_a_device_leads_and_the_missing_device_is_told() -> None:
    outcomes = (Outcome("a", "found", None, (Finding("Slow", fix="Do less"),)),)
    told = verdict(draw("step  bbbb.dddd", device="cpu", launches_per_step=0.0), outcomes)
    assert told.why.startswith("Slow. No tensor counted as on the device, ")
    assert told.next == "Do less."


def test_what_is_guessed_heads_the_verdict_only_where_it_saves_twice_of_what_is_sure() -> None:
    def why(likely_ns: int) -> str:
        sure = Finding("Sure", saving=Saving(0, 5, 9, "counted"))
        guess = Finding("Guessed", saving=Saving(0, likely_ns, 99, "timed"), confidence="low")
        outcomes = (Outcome("a", "found", None, (sure,)), Outcome("b", "found", None, (guess,)))
        return verdict(draw("step  bbbb.dddd"), outcomes).why

    assert (why(9), why(11)) == ("Sure.", "Guessed.")


def test_the_ctr_model_in_three_sentences() -> None:
    verdict = _diagnosed(ctr_run()).verdict
    assert verdict.what == (
        "A step takes 411 ms on this CPU; on CUDA it would make 130 host-device "
        "synchronisations and 62 blocking copies."
    )
    assert verdict.why == (
        "The loop over experts in SMoE.forward makes 128 of 130 synchronisations per step "
        "(model.py:20, model.py:21)."
    )
    assert verdict.next.startswith("model.py:18: Sort the tokens by expert once")


def test_the_lens_loss_in_three_sentences() -> None:
    verdict = _diagnosed(lens_run()).verdict
    assert verdict.why.startswith("The loss goes pair by pair in lens_loss: 494 synchronisations")


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
    assert set(diagnosis.tables) >= {
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


def test_a_trace_that_is_cut_off_says_so_in_the_verdict_itself(tmp_path: Path) -> None:
    text = json.dumps(document(gpu_events()))
    whole, cut = (
        trace_run(read_trace(write(tmp_path / name, part.encode())), "t")
        for name, part in (("whole.json", text), ("cut.json", text[: len(text) * 2 // 3]))
    )
    assert "cut off" not in _diagnosed(whole).verdict.what
    verdict = _diagnosed(cut).verdict
    start = f"The trace is cut off after {len(cut.events)} events (the JSON stops in the middle)"
    assert verdict.what.startswith(start)
    assert "A step takes" in verdict.what


def test_a_cut_trace_without_a_device_asks_for_the_whole_file(tmp_path: Path) -> None:
    ops = [span("cpu_op", "aten::add", at, 1) for at in range(20)]
    text = json.dumps(document(ops))
    run = trace_run(read_trace(write(tmp_path / "cut.json", text[:-40].encode())), "t")
    assert _diagnosed(run).verdict.next.startswith("Get the whole file")


def test_a_foreign_trace_is_not_said_to_come_from_this_machine() -> None:
    verdict = _diagnosed(trace_run(trace("step ss\nop a. a=aten::mm"), "t")).verdict
    assert verdict.what == "A step takes 2 µs on a CPU."


def test_several_devices_are_told_one_by_one_and_many_as_a_range() -> None:
    def what(*devices: str) -> str:
        rows = "\n".join(f"gpu@{i} {cells} k=g" for i, cells in enumerate(devices))
        return _diagnosed(
            trace_run(trace(f"step ssss\ncall l... l=cudaLaunchKernel\n{rows}"), "t")
        ).verdict.what

    assert what(".kkk", "..k.").startswith(
        "A step takes 4 µs with GPU 0 75% and GPU 1 25% of it busy"
    )
    assert "with its 4 GPUs busy 25% to 75% of it" in what(".kkk", "..k.", "..k.", "..kk")


# Critical path and what-if.


WAITING = """
    step  ssssssssssssssssssssssss
    op    .aaaaaa......bbbbbbb.... a=aten::item b=aten::nonzero
    call  l..wwww.....l..wwww..... l=cudaLaunchKernel w=cudaStreamSynchronize
    gpu   .kkkkk.......kkkkk...... k=gemm
"""
REPLAYED = {"critical_path", "path_segments", "replay", "what_if"}


@pytest.mark.parametrize(
    "run",
    [Run("empty"), ctr_run(), trace_run(trace("op aaa a=aten::mm"), "cpu")],
    ids=["empty", "pretend", "cpu"],
)
def test_without_launches_there_is_no_critical_path(run: Run) -> None:
    found = _diagnosed(run)
    assert not REPLAYED & set(found.tables)
    assert not any(gap.startswith("what-if") for gap in found.coverage.gaps)


def test_a_trace_with_launches_has_path_and_what_if() -> None:
    found = _diagnosed(trace_run(trace(WAITING), "drawn"))
    assert set(found.tables) >= REPLAYED
    path = found.tables["critical_path"].records()
    assert sum(int(row["path_ns"] or 0) for row in path) == 24_000
    assert not any(gap.startswith("what-if") for gap in found.coverage.gaps)


def test_all_findings_together_are_one_replay_and_no_sum() -> None:
    found = _diagnosed(trace_run(trace(WAITING), "drawn"))
    findings = [f for _, f in found.findings() if f.saving and "replayed" in f.saving.method]
    assert len(findings) > 1
    records = found.tables["what_if"].records()
    (joint,) = [row for row in records if row["edit"] == "all findings together"]
    now, likely = int(joint["before_ns"] or 0), int(joint["likely_ns"] or 0)
    best = max(f.saving.likely_ns for f in findings if f.saving)
    assert now - likely >= best
    assert found.facts["all findings together"].startswith("24 µs → ")


def test_gaps_that_nobody_recorded_silence_the_what_if_and_are_told() -> None:
    lost = WAITING + "    gpu2  " + "." * 250 + "kk k=late\n"
    found = _diagnosed(trace_run(trace(lost, launch={0: 0, 1: 1, 2: 0}), "drawn"))
    assert "what_if" not in found.tables
    assert "critical_path" in found.tables
    (gap,) = [gap for gap in found.coverage.gaps if gap.startswith("what-if")]
    assert "nothing recorded says what for" in gap


def test_a_long_trace_says_on_how_many_steps_the_replay_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trace_graph, "__defaults__", (3,))
    steps = "step ssssss.ssssss.ssssss\ncall l......l......l..... l=cudaLaunchKernel\n"
    found = _diagnosed(trace_run(trace(steps + "gpu  .kkk....kkk....kkk... k=g"), "drawn"))
    (gap,) = [gap for gap in found.coverage.gaps if gap.startswith("what-if")]
    assert "1 of 3 steps" in gap
