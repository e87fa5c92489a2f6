"""The two ways perfkit says no.

    PerfkitError      the user can mend it: one sentence and the next step (exit code 2)
    NotObservable     a check that could not look; becomes an abstention in the report, never a zero

Everything else that escapes is a bug of ours and keeps its traceback (exit code 1).
"""

from __future__ import annotations


class PerfkitError(Exception):
    """A mistake the user can mend.

    Args:
        message: what happened, and in which file.
        hint: what to do next, a command where there is one.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class NotObservable(Exception):
    """Raised by an analysis or rule that has nothing to look at; the text is the reason."""


class NotApplicable(NotObservable):
    """Raised by a rule about something that this run does not have: nothing was missed."""
