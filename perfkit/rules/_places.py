"""Findings by place: one line of source is one finding, whatever it issues there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import reduce
from operator import add

from perfkit.analysis.advice import fitting
from perfkit.analysis.loops import loops_at
from perfkit.analysis.ready_rewrites import MADE as MADE
from perfkit.analysis.ready_rewrites import ready_rewrite
from perfkit.analysis.source import lines_of, source_at
from perfkit.analysis.sync_costs import Cost, cost
from perfkit.analysis.sync_points import SyncPoint, stack_text, watched_steps
from perfkit.base import plugins
from perfkit.catalogue._index import page
from perfkit.model.diagnosis import Confidence, Saving
from perfkit.model.run import Run
from perfkit.model.syncs import COPY_KINDS as COPY_KINDS
from perfkit.model.syncs import Frame, is_copy_kind
from perfkit.model.table import Cell

_INTO = re.compile(r"(?P<name>\w[\w.]*?)(\.(append|extend|update)\(|\s*\+=)")
_READS = ("item", "tolist")
_GO_ON = "Go on from the result on the device (torch.stack, cat) and read all of them once after the loop"


def is_copy(point: SyncPoint) -> bool:
    """True for whole-tensor copies, which the rule `blocking_copies` judges; reads are waits."""
    return is_copy_kind(point.kind, point.direction)


def by_place(points: Iterable[SyncPoint]) -> list[list[SyncPoint]]:
    """Points grouped by file and line, those without a place by operator."""
    groups: dict[tuple[str, int], list[SyncPoint]] = defaultdict(list)
    for point in points:
        groups[(point.site.file, point.site.line) if point.site else (point.op, 0)].append(point)
    return list(groups.values())


def saving(points: list[SyncPoint], limit_ns: int | None) -> Saving:
    """What all syncs of one place waste together, by the model of `sync_costs`."""
    total: Cost = reduce(add, (cost(point) for point in points))
    return total.saving(limit_ns)


def per_step(points: Iterable[SyncPoint]) -> float:
    """Syncs per step, all together."""
    return sum(point.per_step for point in points)


def advice(points: list[SyncPoint]) -> str:
    """The detector's fix where it is special to the call, else what fits the statement, else the page's."""
    own = next((point.fix for point in points if point.fix), None)
    kind = points[0].kind
    general = page(kind).fix if kind in plugins.names("perfkit.catalogue") else None
    if kind in _READS and goes_on_from_it(points[0].site):
        return _GO_ON
    if own is None or own == general:
        own = fitting(kind, source_at(points[0].site)) or general
    return _sentence(own or "")


def goes_on_from_it(site: Frame | None) -> bool:
    """A value is collected at this line, and the loop looks it up again, or ends by how many there are."""
    into, loops = _INTO.match(code_at(site)), loops_at(site) if site is not None else ()
    if into is None or not loops:
        return False
    loop, name = loops[0], re.escape(into["name"])
    body = "".join(lines_of(loop.place.file)[loop.place.line - 1 : loop.last])
    indexed = re.search(rf"(?<![\w.]){name}\[", body) is not None
    asked = re.search(rf"(?<![\w.]){name}\b", loop.text) is not None
    return indexed or (loop.text.startswith("while") and asked)


def rewrite(points: list[SyncPoint]) -> str | None:
    """Id of the shipped rewrite that fits; None where none is recognised."""
    return ready_rewrite(points[0].kind, source_at(points[0].site))


def _sentence(text: str) -> str:
    """With a capital letter, unless it begins with code."""
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if first.isalpha() else text


def confidence(points: list[SyncPoint], run: Run) -> Confidence:
    """How sure we are that the host waits here."""
    sure = all(point.certain for point in points)
    if run.device == "cpu":
        return "likely" if sure else "low"
    return "certain" if sure else "likely"


def watched(run: Run) -> str:
    """What the rules about places looked at."""
    steps = watched_steps(run)
    return f"{steps} watched step{'' if steps == 1 else 's'}"


def code_at(site: Frame | None) -> str:
    """The statement at a place on one line; empty where it cannot be read."""
    source = source_at(site)
    return source.code if source else ""


def evidence(points: list[SyncPoint]) -> dict[str, Cell]:
    """The numbers a finding stands on."""
    main = points[0]
    blocked = [p.blocked_ns for p in points if p.blocked_ns is not None]
    moved = [p.nbytes for p in points if p.nbytes is not None]
    return {
        "per_step": per_step(points),
        "ops": ", ".join(sorted({p.op for p in points})),
        "kinds": ", ".join(sorted({p.kind for p in points})),
        "phases": ", ".join(sorted({p.phase for p in points})),
        "blocked_ns": sum(blocked) if blocked else None,
        "nbytes": sum(moved) if moved else None,
        "caller": str(main.caller) if main.caller else None,
        "stack": stack_text(main.stack),
        "seen_by": ", ".join(sorted({name for p in points for name in p.seen_by})),
        "steps": main.steps,
    }


def library_of(file: str) -> str | None:
    """Name of the installed package that a file belongs to; None for the program's own files."""
    parts = file.replace("\\", "/").split("/")
    for folder in ("site-packages", "dist-packages"):
        if folder in parts[:-1]:
            return parts[parts.index(folder) + 1].removesuffix(".py")
    return None
