"""Coverage: everything nobody looked at is named, with the reason."""

from __future__ import annotations

from perfkit.analysis.coverage import coverage
from perfkit.model.run import Gap
from tests.draw import draw, item


def _whats(**about: object) -> list[str]:
    picture = about.pop("picture", "step  bbbb.llll.dddd")
    return [gap.partition(":")[0] for gap in coverage(draw(str(picture), **about)).gaps]


def test_a_complete_run_on_a_gpu_has_no_gap() -> None:
    assert _whats(device="cuda", trace="t.json.gz") == []


def test_without_a_gpu_its_time_is_named_as_not_looked_at() -> None:
    assert _whats(device="pretend-cuda", trace="t") == ["GPU"]
    assert _whats(device="cpu", trace="t") == ["GPU", "placement"]


def test_each_missing_instrument_is_named() -> None:
    about = {"device": "cuda", "trace": "t"}
    assert _whats(picture="step  bbbb", **about) == ["light steps", "deep steps"]
    assert _whats(picture="step  dddd", **about) == ["bare steps", "light steps"]


def test_recorded_gaps_come_first_with_their_reason() -> None:
    run = draw("step  bbbb.llll.dddd", gaps=(Gap("stacks", "torch 2.6"),), device="cuda")
    assert coverage(run).gaps == ("stacks: torch 2.6", "trace: no Kineto trace was written")


def test_syncs_of_an_unfinished_step_are_named() -> None:
    run = draw("step  dddd..\nsync  ....ss", s=item(), device="cuda")
    assert any(gap.startswith("last step: 2 ") for gap in coverage(run).gaps)


def test_unsteady_steps_are_named() -> None:
    run = draw("step  bbbbbbbb.bbbbbbbb.bbbbbb.bbbbbb.bbbb.bbbb", device="cuda")
    assert any(gap.startswith("bare steps: still getting faster") for gap in coverage(run).gaps)


def test_basis_and_counts_leave_warm_up_out() -> None:
    found = coverage(draw("step  wwww.bbbb.llll.dddd.aaaa", device="cuda", step_marker="batch"))
    assert found.steps == 3
    assert found.basis == "CUDA device; 1 bare, 1 light and 1 deep steps; step: batch"
    assert found.device_time_attributed is None
