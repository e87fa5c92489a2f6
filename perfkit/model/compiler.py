"""What torch's compiler did while a program ran: compilations and graph breaks, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from perfkit.model.syncs import Frame


@dataclass(frozen=True)
class Compilation:
    """One time the compiler was at work on one code object.

    Attributes:
        frame: torch's number of the code object and of this version of it: "4/1".
        place: the function and its first line; what follows a graph break is a function of its own
            (`torch_dynamo_resume_in_f_at_12`). None where torch did not say.
        step: index of the step it happened in; None before the first one.
        ns: how long it took; None where torch did not say.
        version: how many versions of the same code there were before; None unknown.
        reason: the guard that failed, as torch words it; None for a first version or unknown.
        failed: why nothing was compiled, as torch words it; None where something was.
        backward: it was the backward half of a version.
    """

    frame: str
    place: Frame | None = None
    step: int | None = None
    ns: int | None = None
    version: int | None = None
    reason: str | None = None
    failed: str | None = None
    backward: bool = False


@dataclass(frozen=True)
class GraphBreak:
    """A line at which a graph ends, met while compiling.

    Attributes:
        reason: as torch words it, which changes between its versions.
        place: the user's line; None where torch did not say.
        step: index of the step in which it was compiled; None before the first one.
    """

    reason: str
    place: Frame | None = None
    step: int | None = None


@dataclass(frozen=True)
class CompilerRecord:
    """All of it, in order of time. Empty where the compiler was watched and never ran."""

    compilations: tuple[Compilation, ...] = ()
    breaks: tuple[GraphBreak, ...] = ()
