"""A process seen from outside: a command that is started, or one that runs already."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from perfkit.base.errors import PerfkitError

_ENDING_S = 10.0


@dataclass
class Watched:
    """A running process.

    Attributes:
        environment: with which it runs; ours where the system does not tell.
    """

    pid: int
    environment: Mapping[str, str]
    _process: subprocess.Popen[bytes] | psutil.Process

    def ended_within(self, seconds: float) -> bool:
        """Wait this long at most; True once it has ended."""
        try:
            self._process.wait(seconds)
        except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
            return False
        return True

    def interrupt(self) -> None:
        """Ctrl-C reached a command as it reached us: let it end by itself, then make it end."""
        if isinstance(self._process, psutil.Process):
            return
        try:
            self._process.wait(_ENDING_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self._process.kill()
            self._process.wait()

    def exit_code(self) -> int | None:
        """The command's own, 128 and more after a signal as shells say; None for another's process."""
        if isinstance(self._process, psutil.Process):
            return None
        code = self._process.returncode
        return 128 - code if code is not None and code < 0 else code


def started(command: Sequence[str]) -> Watched:
    """Start a command; its input and output are ours.

    Raises:
        PerfkitError: it cannot be started.
    """
    try:
        process = subprocess.Popen(command)
    except OSError as error:
        raise PerfkitError(
            f"cannot start {command[0]}: {error.strerror or error}",
            "give the command as the shell would run it: perfkit monitor -- python train.py",
        ) from error
    return Watched(process.pid, dict(os.environ), process)


def running(pid: int) -> Watched:
    """A process that runs already.

    Raises:
        PerfkitError: there is none.
    """
    try:
        process = psutil.Process(pid)
    except psutil.Error as error:
        raise PerfkitError(f"there is no process {pid}", "ps lists those there are") from error
    try:
        environment = process.environ()
    except (psutil.Error, OSError):  # another user's: its CUDA_VISIBLE_DEVICES stays unknown
        environment = dict(os.environ)
    return Watched(pid, environment, process)


def ended_in_words(code: int | None, by_itself: bool = True) -> str:
    """How the process ended, or the watching, for people.

    Args:
        code: None where it is not known, because somebody else started the process.
    """
    if code is None:
        return "ran to its end" if by_itself else "was looked at until perfkit was told to stop"
    if code > 128:
        try:
            return f"was ended by {signal.Signals(code - 128).name}"
        except ValueError:
            return f"ran to its end with exit code {code}"
    return "ran to its end" if code == 0 else f"ran to its end with exit code {code}"
