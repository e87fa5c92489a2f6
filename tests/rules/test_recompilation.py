"""recompilation: silent on what compilers do while a program warms up; named by guard where it goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.compiler import Compilation, CompilerRecord
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.run import Gap, Run
from perfkit.model.syncs import Frame
from perfkit.rules.recompilation import recompilation
from tests.draw import draw

PLACE = Frame("/me/model.py", 7, "forward")
SIZE = "4/0: tensor 'L['x']' size mismatch at index 0. expected 3, actual 4"
VALUE = "4/0: L['scale'] == 'x'      # return y * len(scale)"


def made(version: int, step: int | None, reason: str | None = None) -> Compilation:
    return Compilation(f"4/{version}", PLACE, step, 1_000, version, reason)


def run(*compilations: Compilation) -> Run:
    """Steps 0 and 1 warm up, 2 to 5 are bare."""
    drawn = draw("step  w.w.b.b.b.b", device="cpu")
    return replace(drawn, compiler=CompilerRecord(compilations))


def found(*compilations: Compilation) -> tuple[Finding, ...]:
    return recompilation(run(*compilations)).findings


def test_abstains_where_nothing_is_compiled_or_it_cannot_be_seen() -> None:
    with pytest.raises(NotApplicable):
        recompilation(run())
    with pytest.raises(NotObservable, match="--device cpu"):
        recompilation(draw("step  bbb", device="pretend-cuda", gaps=(Gap("torch.compile", "x"),)))


def test_silent_on_a_second_version_in_the_warm_up() -> None:
    assert found(made(0, 0), made(1, 1, SIZE)) == ()


def test_silent_on_one_late_version_for_the_last_small_batch() -> None:
    assert found(made(0, 0), made(1, 5, SIZE)) == ()


def test_silent_on_first_versions_of_many_functions() -> None:
    others = (
        Compilation(f"{n}/0", Frame("/me/model.py", n, "f"), 3, 1_000, 0) for n in range(1, 9)
    )
    assert found(*others) == ()


def test_two_late_versions_are_found_with_what_they_cost() -> None:
    (finding,) = found(made(0, 0), made(1, 3, VALUE), made(2, 4, VALUE))
    assert finding.title == "forward is compiled 3 times: the value of scale changes"
    assert finding.place == PLACE
    assert (finding.evidence["late_ns"], finding.evidence["ns_per_version"]) == (2_000, 1_000)
    assert finding.saving is not None
    assert finding.saving == Saving(0, 250, 500, finding.saving.method)
    assert "tensor" in finding.fix


def test_many_versions_are_found_whenever_they_were_made_but_not_priced() -> None:
    (finding,) = found(made(0, 0), *(made(n, 1, SIZE) for n in (1, 2, 3)))
    assert finding.title.endswith("4 times: the shape of x changes")
    assert "mark_dynamic" in finding.fix
    assert finding.saving is None


def test_a_function_that_was_given_up_is_found() -> None:
    refused = Compilation("4/8", PLACE, 1, None, None, failed="Dynamo recompile limit exceeded")
    (finding,) = found(made(0, 0), refused)
    assert finding.title == "forward is compiled once, and then given up"
    assert finding.evidence["given_up"] is True


def test_unknown_times_are_no_saving() -> None:
    late = (replace(made(n, 3, None), ns=None) for n in (1, 2))
    (finding,) = found(made(0, 0), *late)
    assert (finding.saving, finding.evidence["late_ns"]) == (None, None)
