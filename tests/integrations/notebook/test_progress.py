"""One line in the output of a cell, that never becomes two."""

from __future__ import annotations

import pytest

from perfkit.integrations.notebook import progress as module
from perfkit.integrations.notebook.progress import CellProgress
from perfkit.model.run import Instrument
from tests.integrations.notebook.conftest import Notebook


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, for tests to set."""
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def _shown(notebook: Notebook, clock: list[float], seconds: list[float]) -> list[dict[str, str]]:
    words: list[Instrument] = ["warm-up", "bare", "light", "deep", "after"]

    def measure() -> None:
        progress = CellProgress()
        for index, at in enumerate(seconds):
            clock[0] = at
            progress.step(words[min(index, 4)], index)
        progress.close()

    notebook.shell.user_ns["measure"] = measure
    return notebook.run("measure()")


def test_a_cell_that_is_done_at_once_shows_nothing(notebook: Notebook, clock: list[float]) -> None:
    assert _shown(notebook, clock, [0.1, 0.2, 0.3]) == []


def test_it_is_drawn_twice_a_second_at_most(notebook: Notebook, clock: list[float]) -> None:
    drawn = _shown(notebook, clock, [0.1 * step for step in range(20)])
    assert 1 <= len(drawn) <= 5


def test_it_says_what_is_measured_and_at_last_how_many_steps_were(
    notebook: Notebook, clock: list[float]
) -> None:
    drawn = [data["text/plain"] for data in _shown(notebook, clock, [1.0, 2.0, 3.0])]
    assert drawn[0] == "perfkit: step 0, warming up"
    assert drawn[-1] == "perfkit: 3 steps measured"


def test_the_verdict_takes_its_place_or_stands_alone(notebook: Notebook) -> None:
    notebook.shell.user_ns["progress"] = CellProgress()
    assert [data["text/plain"] for data in notebook.run("progress.becomes('verdict')")] == [
        "'verdict'"
    ]
