"""One capture inside somebody else's training loop, whose hooks begin, end and interrupt its steps.

It stands aside while another capture runs (`perfkit profile train.py` with a callback in it), ends by
itself once everything is measured, and is spent after that: the rest of the training costs nothing.
A training that ends without a word, as by an exception that its framework tells nobody, is written
when the interpreter ends or the next training begins. What perfkit cannot do is warned about and never
ends the training.
"""

from __future__ import annotations

import atexit
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfkit.base.errors import PerfkitError
from perfkit.base.files import write_text
from perfkit.capture import instrument

if TYPE_CHECKING:
    from perfkit.cli._surface import profile
    from perfkit.model.diagnosis import Diagnosis

Told = Callable[["profile"], None]


class Steps:
    """A `perfkit.profile` that is begun, stepped and ended by hooks. Every call is safe at any time.

    Args:
        name, asked: as `perfkit.profile` takes them. Without a `report` the page goes to reports/.
        told: hears of the capture once it has ended well.

    Attributes:
        profile: the capture, once there is one.
    """

    def __init__(self, name: str, asked: Mapping[str, Any], told: Told | None = None) -> None:
        self._name, self._asked, self._told = name, dict(asked), told
        self._paused = False
        self._spent = False
        self._pages = Path("reports")
        self.profile: profile | None = None

    @property
    def _running(self) -> profile | None:
        return None if self._spent else self.profile

    @property
    def wanted(self) -> bool:
        """Whether a loop that begins now would be measured."""
        return self.profile is None and not self._spent

    def start(self, out: str | Path | None = None) -> None:
        """Begin, where nothing has begun yet; the first step begins here.

        Args:
            out: the run's folder, where the user named none.
        """
        if self._running is not None:  # a loop that ended without a word
            self.finish(sys.exc_info()[1])
        if not self.wanted:
            return
        if instrument.active() is not None:
            self._spent = True
            return
        # Not when it ends: what imports concurrent.futures cannot be loaded at the interpreter's end.
        import perfkit.cli._rank_runs  # noqa: F401
        from perfkit.cli._surface import profile

        asked = {"out": out, **self._asked}
        block = profile(self._name, **asked)
        self._pages = Path.cwd() / "reports"
        try:
            block.__enter__()
        except PerfkitError as error:
            self._give_up(error)
            return
        self.profile = block
        atexit.register(self._at_exit)
        block.step()

    def step(self) -> None:
        """A step ended; the capture with it, where it was the last that was needed."""
        running = self._running
        if running is not None:
            running.step()
            if running.measured:
                self.finish()

    def pause(self) -> None:
        """What comes now is no part of a step: an evaluation, a checkpoint."""
        if self._running is not None:
            self._paused = True
            self._running.pause()

    def resume(self) -> None:
        """The next step begins here, after a `pause`."""
        if self._running is not None and self._paused:
            self._paused = False
            self._running.resume()

    def finish(self, error: BaseException | None = None) -> None:
        """End the capture: the run, the diagnosis and the page are written.

        Args:
            error: what ended the training, where something did; it is not raised here.
        """
        running = self._running
        if running is None:
            return
        self._spent = True
        atexit.unregister(self._at_exit)
        try:
            running.__exit__(None if error is None else type(error))
            if running.of_all_ranks is not None and "report" not in self._asked:
                self._write_page(running.of_all_ranks)
        except PerfkitError as mistake:
            self._give_up(mistake)
            return
        if self._told is not None and error is None:
            self._told(running)

    def _write_page(self, diagnosis: Diagnosis) -> None:
        from perfkit.report.html import render

        page = self._pages / f"{diagnosis.run}.html"
        write_text(page, render(diagnosis))
        print(f"perfkit: {diagnosis.verdict.what} {page}", file=sys.stderr)

    def _give_up(self, error: PerfkitError) -> None:
        self._spent = True
        warnings.warn(f"perfkit measures nothing here: {error}", RuntimeWarning, stacklevel=3)

    def _at_exit(self) -> None:
        """What an exception of the program was is in `sys` by now."""
        self.finish(getattr(sys, "last_exc", None) or getattr(sys, "last_value", None))
