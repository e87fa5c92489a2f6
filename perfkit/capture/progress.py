"""What is being measured, on stderr while it happens; nothing where stderr is no terminal.

Where the program prints to the same terminal, whole lines and few of them, so that neither tears the
other's; else one line that is drawn again and taken away at the end.
"""

from __future__ import annotations

import sys
from time import monotonic

from perfkit.model.run import Instrument

_REDRAW_S = 0.25
_LINES_S = 2.0
_CLEAR = "\r\x1b[K"
WORDS: dict[Instrument, str] = {
    "warm-up": "warming up",
    "bare": "timing",
    "light": "tracing operators",
    "deep": "looking for synchronisations",
    "after": "measured; the program runs on",
}


class Progress:
    """Drawn at step ends only, so that it never runs beside the program."""

    def __init__(self, wanted: bool) -> None:
        self._on = wanted and _is_terminal(sys.stderr)
        self._redraws = not _is_terminal(sys.stdout)
        self._drawn_at = monotonic() if not self._redraws else 0.0
        self._last: Instrument | None = None
        self._drawn = False

    def step(self, instrument: Instrument, index: int) -> None:
        """A step ended; the next one is measured with `instrument`."""
        if not self._on or self._last == "after":
            return
        now = monotonic()
        changed, self._last = instrument != self._last, instrument
        if now - self._drawn_at < (_REDRAW_S if self._redraws else _LINES_S):
            return
        if not (changed or self._redraws):
            return
        self._drawn_at = now
        text = f"perfkit: step {index}, {WORDS[instrument]}"
        self._write(_CLEAR + text if self._redraws else text + "\n")
        self._drawn = self._redraws

    def close(self) -> None:
        """Take the line away."""
        if self._drawn:
            self._write(_CLEAR)
        self._on = self._drawn = False

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _is_terminal(stream: object) -> bool:
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty())
