"""Listens to `torch.compile`: what it compiled, why again, and where its graphs break.

Reads the compiler's own ledgers between steps, and never imports it: where `torch._dynamo` is not
loaded nothing was compiled. The ledgers are no public interface; they are the same in torch 2.6 and
2.13, but for `recompile_reason`, which older ones lack: there the guards that failed tell it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import CodeType
from typing import Any

import torch

from perfkit.model.compiler import Compilation, CompilerRecord, GraphBreak
from perfkit.model.run import Gap
from perfkit.model.syncs import Frame

_WHAT = "what the compiler did"
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PROGRAMS = tuple(_OURS + room + os.sep for room in ("workloads", "rewrites"))


def pass_through(function: Callable[..., Any]) -> None:
    """Let the compiler look at what this function of ours calls, and not compile the function.

    torch passes over its own `Module.__call__` in the same way; a wrapper around it would be compiled
    in its place, under our name and with guards on our arguments.
    """
    inside: Any = torch._C._dynamo.eval_frame
    if hasattr(inside, "skip_code"):
        inside.skip_code(function.__code__)
    elif hasattr(inside, "set_code_exec_strategy"):  # from torch 2.7 on
        action = inside._FrameAction
        strategy = inside._FrameExecStrategy(action.SKIP, action.DEFAULT)
        inside.set_code_exec_strategy(function.__code__, strategy)


@contextmanager
def eagerly() -> Iterator[None]:
    """Compiled code runs uncompiled inside.

    The compiler would otherwise compile the detectors, which see every operator, along with the
    program. Nothing is loaded for it: what is compiled first inside is compiled.
    """
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


class CompilerLog:
    """What the compiler did since `skip`. Call `look` where a step ends."""

    def __init__(self) -> None:
        self._compilations: list[Compilation] = []
        self._breaks: list[GraphBreak] = []
        self._notes: dict[Gap, None] = {}
        self._last: Any = None
        self._breaks_seen = 0
        self._failures_seen: dict[CodeType, int] = {}
        self._places: dict[str, Frame] = {}

    def skip(self) -> None:
        """What was compiled so far was before the capture."""
        self.look(None)
        self._compilations.clear()
        self._breaks.clear()
        self._notes.clear()

    def look(self, step: int | None) -> None:
        """Take in what happened since the last look; all of it belongs to `step`."""
        dynamo = sys.modules.get("torch._dynamo.utils")
        if dynamo is None:
            return
        try:
            new = self._new(dynamo.get_compilation_metrics())
            if new:
                self._add(new, dynamo.guard_failures, step)
            self._add_breaks(dynamo.graph_break_reasons, step)
        except AttributeError as missing:  # a half-imported module, or another torch
            self._notes[Gap(_WHAT, f"this torch keeps no such record: {missing}")] = None

    def record(self) -> CompilerRecord | None:
        """All of it; None where this torch keeps no record."""
        if any(gap.what == _WHAT for gap in self._notes) and not self._compilations:
            return None
        return CompilerRecord(
            tuple(each for each in self._compilations if _of_program(each.place)),
            tuple(each for each in self._breaks if _of_program(each.place)),
        )

    def gaps(self) -> tuple[Gap, ...]:
        """What could not be read."""
        return tuple(self._notes)

    def _new(self, entries: Sequence[Any]) -> list[Any]:
        """The entries behind the last one that was seen; torch drops the oldest."""
        last, self._last = self._last, entries[-1] if entries else None
        for at in range(len(entries) - 1, -1, -1):
            if entries[at] is last:
                return list(entries[at + 1 :])
        if last is not None and entries:
            why = f"torch keeps the last {len(entries)} only, and there were more between two steps"
            self._notes[Gap("some compilations", why)] = None
        return list(entries)

    def _add(
        self, entries: list[Any], failures: dict[CodeType, list[str]], step: int | None
    ) -> None:
        fresh = self._fresh(failures)
        for entry in entries:
            backward = entry.is_forward is False
            reason = None if backward else self._reason(entry, fresh)
            place = self._place(entry)
            ns = None if entry.duration_us is None else int(entry.duration_us) * 1_000
            self._compilations.append(
                Compilation(
                    frame=entry.compile_id or "",
                    place=place,
                    step=step,
                    ns=ns,
                    version=entry.cache_size,
                    reason=reason,
                    failed=entry.fail_reason,
                    backward=backward,
                )
            )

    def _place(self, entry: Any) -> Frame | None:
        """The code object; entries of a backward or of a refusal have only the forward's number."""
        number = (entry.compile_id or "").partition("/")[0]
        if entry.co_filename:
            self._places[number] = Frame(
                entry.co_filename, entry.co_firstlineno or 0, entry.co_name or ""
            )
        return self._places.get(number)

    def _fresh(self, failures: dict[CodeType, list[str]]) -> list[str]:
        """Guards that failed since the last look."""
        found: list[str] = []
        for code, reasons in list(failures.items()):
            seen = self._failures_seen.get(code, 0)
            found += reasons[seen if seen <= len(reasons) else 0 :]  # fewer: torch._dynamo.reset()
            self._failures_seen[code] = len(reasons)
        return found

    @staticmethod
    def _reason(entry: Any, fresh: list[str]) -> str | None:
        """Which guard of the newest version failed. Torch asks all versions, the newest first."""
        if not entry.cache_size:
            return None
        number = f"{(entry.compile_id or '').partition('/')[0]}/"
        mine = [reason for reason in fresh if reason.startswith(number)][: entry.cache_size]
        for reason in mine:
            fresh.remove(reason)
        told = getattr(entry, "recompile_reason", None)
        return told or (mine[0] if mine else None)

    def _add_breaks(self, reasons: Sequence[Any], step: int | None) -> None:
        if len(reasons) < self._breaks_seen:  # torch._dynamo.reset()
            self._breaks_seen = 0
        for each in reasons[self._breaks_seen :]:
            at = each.user_stack[-1] if each.user_stack else None
            place = Frame(at.filename, at.lineno or 0, at.name) if at is not None else None
            self._breaks.append(GraphBreak(str(each.reason), place, step))
        self._breaks_seen = len(reasons)


def _of_program(place: Frame | None) -> bool:
    """Not a function of our instruments."""
    file = place.file if place is not None else ""
    return not file.startswith(_OURS) or file.startswith(_PROGRAMS)
