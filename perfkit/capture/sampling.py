"""Samples of a capture: from its first step until nothing is measured any more."""

from __future__ import annotations

import os

from perfkit.capture.sampler import Sampler
from perfkit.capture.sources import sources
from perfkit.model.samples import Samples


class Sampling:
    """The sampler of one capture in this process; at 0 Hz there is none.

    It starts with the first step and not before: a program may still set CUDA_VISIBLE_DEVICES itself.
    """

    def __init__(self, hertz: float) -> None:
        self._sampler = Sampler(sources, hertz) if hertz else None
        self._started = False
        self._pid = os.getpid()

    def on(self) -> None:
        """Begin, if that has not been done."""
        if self._sampler is not None and not self._started:
            self._started = True
            self._sampler.start()

    def off(self) -> None:
        """End; safe to call often. A forked child has no thread to end."""
        if self._sampler is not None and self._started and os.getpid() == self._pid:
            self._sampler.stop()

    def samples(self) -> tuple[Samples, ...]:
        """What was sampled so far."""
        return () if self._sampler is None else self._sampler.samples()
