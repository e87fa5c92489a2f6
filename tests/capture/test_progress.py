"""The progress line."""

from __future__ import annotations

import io
import sys

import pytest

from perfkit.capture import progress as module
from perfkit.capture.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Moves on by a second at every look."""
    seconds = iter(range(1, 1000))
    monkeypatch.setattr(module, "monotonic", lambda: float(next(seconds)))


def drawn(monkeypatch, words, stdout=None):
    """What appears on a terminal while the instruments in `words` follow each other."""
    monkeypatch.setattr(sys, "stdout", stdout or io.StringIO())
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    progress = Progress(True)
    for index, word in enumerate(words):
        progress.step(word, index)
    progress.close()
    return terminal.getvalue()


@pytest.mark.parametrize(("stream", "wanted"), [(io.StringIO(), True), (Terminal(), False)])
def test_nothing_is_drawn_where_nobody_watches(monkeypatch, clock, stream, wanted):
    monkeypatch.setattr(sys, "stderr", stream)
    progress = Progress(wanted)
    progress.step("bare", 3)
    progress.close()
    assert stream.getvalue() == ""


def test_a_line_says_what_is_measured_and_goes_away(monkeypatch, clock):
    text = drawn(monkeypatch, ["warm-up", "bare"])
    assert text.split("\r\x1b[K")[1:] == [
        "perfkit: step 0, warming up",
        "perfkit: step 1, timing",
        "",
    ]


def test_the_end_of_measuring_is_told_once(monkeypatch, clock):
    assert drawn(monkeypatch, ["after"] * 3).count("runs on") == 1


def test_a_program_that_prints_to_the_same_terminal_is_not_torn(monkeypatch, clock):
    text = drawn(monkeypatch, ["warm-up", "bare", "bare", "deep", "light"], stdout=Terminal())
    assert text == "perfkit: step 1, timing\nperfkit: step 3, looking for synchronisations\n"
