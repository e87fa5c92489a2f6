"""A process from outside."""

from __future__ import annotations

import os
import sys

import pytest

from perfkit.base.errors import PerfkitError
from perfkit.capture.watching import ended_in_words, running, started


def test_nothing_to_watch_is_one_sentence() -> None:
    with pytest.raises(PerfkitError, match="cannot start no-such-command"):
        started(["no-such-command"])
    with pytest.raises(PerfkitError, match="there is no process"):
        running(2**22 + 1)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("", 0),
        ("raise SystemExit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
    ],
)
def test_a_command_passes_on_its_exit_code(program: str, code: int) -> None:
    watched = started([sys.executable, "-c", program])
    assert watched.ended_within(30)
    assert watched.exit_code() == code


def test_a_running_process_is_seen_with_its_environment_and_left_alone() -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    os.environ["MARK_OF_THIS_TEST"] = "1"
    try:
        child = started(command)
    finally:
        del os.environ["MARK_OF_THIS_TEST"]
    seen = running(child.pid)
    assert not seen.ended_within(0.01)
    assert seen.environment["MARK_OF_THIS_TEST"] == "1"
    seen.interrupt()
    assert seen.exit_code() is None
    assert not child.ended_within(0.01)
    child._process.kill()
    assert child.ended_within(30)
    assert seen.ended_within(30)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "ran to its end"),
        (0, "ran to its end"),
        (3, "ran to its end with exit code 3"),
        (137, "was ended by SIGKILL"),
        (255, "ran to its end with exit code 255"),
    ],
)
def test_how_it_ended_in_words(code: int | None, words: str) -> None:
    assert ended_in_words(code) == words


def test_a_process_that_goes_on_did_not_end() -> None:
    assert ended_in_words(None, False) == "was looked at until perfkit was told to stop"
    assert ended_in_words(5, False) == "ran to its end with exit code 5"
