"""What is being measured, as one line of the cell's output that is drawn again and never grows."""

from __future__ import annotations

from time import monotonic
from typing import Any

from perfkit.capture.progress import WORDS, Progress
from perfkit.model.run import Instrument

_REDRAW_S = 0.5


class CellProgress(Progress):
    """Drawn at step ends only, twice a second at most: each drawing is a message to the browser.

    What the program itself shows stands above or below it and is left alone.
    """

    def __init__(self) -> None:
        super().__init__(False)
        self._handle: Any = None
        self._drawn_at = monotonic()  # a cell that is done at once shows nothing
        self._steps = 0
        self._ended = False

    def step(self, instrument: Instrument, index: int) -> None:
        self._steps = index + 1
        now = monotonic()
        if self._ended or now - self._drawn_at < _REDRAW_S:
            return
        self._drawn_at = now
        self._ended = instrument == "after"
        self._show(f"perfkit: step {index}, {WORDS[instrument]}")

    def close(self) -> None:
        """Leave a word about what was done, where anything was shown."""
        self._ended = True
        if self._handle is not None:
            self._show(f"perfkit: {self._steps} steps measured")

    def becomes(self, shown: Any) -> None:
        """Show this in place of the line."""
        from IPython.display import display

        if self._handle is None:
            display(shown)
        else:
            self._handle.update(shown)

    def _show(self, text: str) -> None:
        from IPython.display import Pretty, display

        line = Pretty(text)
        if self._handle is None:
            self._handle = display(line, display_id=True)
        else:
            self._handle.update(line)
