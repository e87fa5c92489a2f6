"""The instruments together: what they have recorded, and what was looked for where nothing was."""

from __future__ import annotations

from perfkit.capture.recorders import Recorders, Settings, no_steps
from perfkit.capture.schedule import Limits
from perfkit.capture.steps import StepFinder
from perfkit.detectors.evidence import Evidence
from perfkit.model.compiler import CompilerRecord
from perfkit.model.run import Gap


def test_nothing_recorded_is_a_run_with_the_reason():
    run = Recorders(Settings(device="cpu"), Evidence()).run("nothing came", ended=True)
    assert run.steps == ()
    assert Gap("steps", "nothing came") in run.gaps
    assert run.compiler == CompilerRecord()
    assert run.launches_per_step is None


def test_leaving_and_entering_without_anything_on_is_harmless(tmp_path):
    parts = Recorders(Settings(device="cpu", limits=Limits(steps=3)), Evidence())
    parts.leave("warm-up")
    parts.enter("bare")
    parts.export(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_named_region_that_was_never_completed_is_told():
    class Session:
        def begin(self, now: int) -> None: ...
        def end(self, now: int) -> None: ...
        def pause(self) -> None: ...
        def restart(self) -> None: ...

    assert "'loss'" in no_steps(StepFinder(Session(), "loss"))
    assert "0 optimizer.step" in no_steps(StepFinder(Session(), None))
