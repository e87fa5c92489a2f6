"""time-escapes-the-timer: silent cases first."""

from __future__ import annotations

import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules.time_escapes_the_timer import time_escapes_the_timer
from tests.draw import draw, item
from tests.seeded import at, seeded

SOURCE = """
    def run(model, x):
        start = time.time()
        y = model(x)
        print(time.time() - start)
        z = x.exp()

    def safe(model, x):
        start = time.time()
        out = model(x)
        torch.cuda.synchronize()
        print(time.time() - start)
    """
FILE = seeded("/home/ada/timed.py", SOURCE)
RUNNER = seeded("/venv/lib/site-packages/runner/timed.py", SOURCE)


def _costed(line: str, device: str = "pretend-cuda") -> Run:
    rows = (OpCost("aten::exp", "", 1, place=at(FILE, line)),)
    return draw("step  dddd", costs=rows, costed_steps=1, device=device)


def _found(run: Run) -> tuple[Finding, ...]:
    return time_escapes_the_timer(run).findings


def test_it_does_not_apply_on_a_cpu_or_where_no_line_is_known() -> None:
    for run in (_costed("y = model", device="cpu"), draw("step  dddd", device="cuda")):
        with pytest.raises(NotApplicable):
            time_escapes_the_timer(run)


def test_silent_where_the_timer_is_an_installed_packages() -> None:
    inside = OpCost("aten::exp", "", 1, place=at(RUNNER, "y = model"))
    started = item(stack=(at(FILE, "z = x.exp"), at(RUNNER, "y = model")))
    run = draw("step  dddd", costs=(inside,), costed_steps=1, device="pretend-cuda")
    with pytest.raises(NotApplicable):
        time_escapes_the_timer(run)
    assert _found(draw("step  dddd\nsync  i...", i=started, device="cuda")) == ()


def test_silent_where_nothing_is_sent_to_the_device_between() -> None:
    assert _found(_costed("z = x.exp")) == ()


def test_silent_where_the_source_waits_before_the_second_reading() -> None:
    assert _found(_costed("out = model")) == ()


def test_silent_where_something_called_between_was_seen_to_wait() -> None:
    inner = at(FILE, "z = x.exp", "inner")
    run = draw(
        "step  dddd\nsync  i...", i=item(stack=(inner, at(FILE, "y = model"))), device="cuda"
    )
    assert _found(run) == ()


def test_a_timer_around_work_that_nobody_waits_for_is_told_without_a_saving() -> None:
    (finding,) = _found(_costed("y = model"))
    assert finding.title == (
        "The timer of lines 2 to 4 in run stops before the device is done: it times the dispatch"
    )
    assert finding.saving is None
    assert finding.place == at(FILE, "print(time", "run")
