"""Findings with their names, ranks and anchors: what several sections point at."""

from __future__ import annotations

from dataclasses import dataclass

from perfkit.model.diagnosis import Diagnosis, Finding
from perfkit.report._text import short_names
from perfkit.report.blocks import SnippetLine

_WHOLE = "the whole step"


@dataclass(frozen=True)
class Ranked:
    """A finding, its place in the ranking (from 1) and how a page names it.

    `where` is `model.py:88`, or what stands for it where no line is known.
    """

    rank: int
    rule: str
    finding: Finding
    where: str
    function: str
    snippet: tuple[SnippetLine, ...]

    @property
    def anchor(self) -> str:
        return f"finding-{self.rank}"


def ranked(diagnosis: Diagnosis) -> list[Ranked]:
    """Every finding, what wastes most first."""
    pairs = diagnosis.findings()
    names = short_names(f.place.file for _, f in pairs if f.place)
    sources = _sources(diagnosis)
    found = []
    for rank, (rule, finding) in enumerate(pairs, start=1):
        place = finding.place
        if place is None:
            known = finding.evidence.get("per_step")
            where = str(finding.evidence.get("ops") or "no Python line") if known else _WHOLE
            if "rank" in finding.evidence:
                where = f"rank {finding.evidence['rank']}"
            found.append(Ranked(rank, rule, finding, where + _alone(finding), "", ()))
            continue
        function, lines = sources.get((place.file, place.line), (place.function, ()))
        where = f"{names[place.file]}:{place.line}{_alone(finding)}"
        found.append(Ranked(rank, rule, finding, where, function or place.function, lines))
    return found


def grouping(diagnosis: Diagnosis) -> frozenset[str]:
    """The rules whose findings speak for several lines, which other rules list as parts of them."""
    return frozenset(
        rule for rule, finding in diagnosis.findings() if finding.evidence.get("lines")
    )


def is_part(finding: Finding) -> bool:
    """True for a line that another finding speaks for."""
    return bool(finding.evidence.get("part_of"))


def _alone(finding: Finding) -> str:
    """Of many ranks, the one on which this was found: the others were not looked at for it."""
    rank = finding.evidence.get("on_rank")
    return "" if rank is None else f" (rank {rank})"


def _sources(
    diagnosis: Diagnosis,
) -> dict[tuple[str, int], tuple[str, tuple[SnippetLine, ...]]]:
    table = diagnosis.tables.get("source")
    found: dict[tuple[str, int], tuple[str, tuple[SnippetLine, ...]]] = {}
    for row in table.records() if table else ():
        if row["text"] is None:  # left out of a run that was made to be shared
            continue
        line = SnippetLine(int(row["number"] or 0), str(row["text"]), bool(row["marked"]))
        key = str(row["file"]), int(row["line"] or 0)
        function, lines = found.get(key, (str(row["function"] or ""), ()))
        found[key] = function, (*lines, line)
    return found
