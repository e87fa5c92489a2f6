"""`perfkit.profile`: measure a block of your own program."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING

from perfkit.base.errors import PerfkitError
from perfkit.capture import instrument

if TYPE_CHECKING:
    from perfkit.capture.instruments import Wanted
    from perfkit.capture.progress import Progress
    from perfkit.capture.session import Session
    from perfkit.model.diagnosis import Diagnosis
    from perfkit.model.run import Run


class profile:
    """Measure what runs inside the block; steps are found by themselves or ended by `p.step()`.

    The run is written when the block ends, also by an exception, which goes on.

    Args:
        name: of the run, and of its folder under profiles/.
        out: folder of the run instead; it must be new.
        device: as `perfkit profile --device`.
        report: where the page goes; None writes none.
        steps, warmup: as the options of `perfkit profile`.
        progress: draws what is being measured; if None, a line in a notebook and nothing elsewhere.

    Attributes:
        run, diagnosis: available after the block; of this process.
        of_all_ranks: the joint diagnosis on the rank that ended last, None on the others; `diagnosis`
            where there is but one process.
    """

    def __init__(
        self,
        name: str = "block",
        *,
        out: str | Path | None = None,
        device: Wanted = "auto",
        report: str | Path | None = None,
        steps: int | None = None,
        warmup: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._name, self._device = name, device
        self._out = None if out is None else Path(out)
        self._report = None if report is None else Path(report).absolute()
        self._steps, self._warmup = steps, warmup
        self._progress = progress
        self._stack = ExitStack()
        self._session: Session | None = None
        self.run: Run | None = None
        self.diagnosis: Diagnosis | None = None
        self.of_all_ranks: Diagnosis | None = None

    def __enter__(self) -> profile:
        from perfkit.capture.schedule import Limits
        from perfkit.capture.session import Session, Settings
        from perfkit.integrations.notebook import attach
        from perfkit.io.rundir import reserved_for_capture

        if instrument.active() is not None:
            raise PerfkitError(
                "a capture is running already", "use perfkit.instrument(name) for parts of it"
            )
        place = reserved_for_capture(self._out, Path.cwd() / "profiles", self._name)
        directory = self._stack.enter_context(place)
        limits = Limits(steps=self._steps, warmup=self._warmup)
        if directory.rank is not None:
            limits = limits.in_lockstep()
        settings = Settings(self._device, limits, command=("perfkit.profile", self._name))
        session = Session(settings, directory, self._progress or attach())
        self._session = self._stack.enter_context(session)
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        session = self._session
        if session is None or session.forgotten:
            return
        from perfkit.cli._rank_runs import conclude_capture

        ended = "ran to its end" if kind is None else f"{kind.__name__} {session.where()}"
        with self._stack:
            self.run = session.finish(ended, None)
        own, self.of_all_ranks = conclude_capture(self.run, session.directory, self._report)
        self.diagnosis = own

    def __repr__(self) -> str:
        if self.diagnosis is None or self.run is None:
            return f"<perfkit.profile {self._name!r}: the block has not ended>"
        verdict = self.diagnosis.verdict
        lines = (verdict.what, verdict.why, verdict.next, f"run: {self.run.directory}")
        return "\n".join(lines)

    @property
    def measured(self) -> bool:
        """Everything is, and more steps would tell nothing."""
        return self._session is not None and self._session.measured

    def step(self) -> None:
        """A step ended here."""
        instrument.step()

    def pause(self) -> None:
        """What runs until `resume` is no part of a step: an evaluation, a checkpoint. After a `step`."""
        if self._session is not None:
            self._session.pause()

    def resume(self) -> None:
        """The next step begins here."""
        if self._session is not None and not self._session.forgotten:
            self._session.begin(perf_counter_ns())
