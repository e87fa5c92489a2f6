"""The first screen: which line, how much, what instead."""

from __future__ import annotations

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis, Finding
from perfkit.report import _words
from perfkit.report._findings import Ranked, is_part, ranked
from perfkit.report._remedies import next_commands
from perfkit.report.blocks import Block, Cell, Grid, Head, Hero, Text, Tile, capped
from perfkit.report.sections._rank_tiles import rank_tiles

ORDER = 10
_SITES = 5


def section(diagnosis: Diagnosis) -> Block:
    """The verdict, its numbers, the worst lines and what all of it stands on."""
    verdict = diagnosis.verdict
    found = [item for item in ranked(diagnosis) if not is_part(item.finding)]
    commands = next_commands(found, diagnosis)
    hero = Hero(verdict.what, verdict.why, verdict.next, _tiles(diagnosis), commands)
    coverage = Text(_words.coverage_line(diagnosis) + ".")
    limit = diagnosis.facts.get("limited by")
    told = (Text(f"Limited by: {limit}."),) if limit else ()
    sites = (_sites(found, diagnosis),) if found else ()
    return Block("verdict", "Verdict", (hero, *told, *sites, coverage))


def _tiles(diagnosis: Diagnosis) -> tuple[Tile, ...]:
    ranks = diagnosis.tables.get("ranks")
    if ranks is not None and ranks.rows:
        return rank_tiles(ranks)
    tiles = [_step(diagnosis)]
    by_rule = {outcome.rule: outcome for outcome in diagnosis.outcomes}
    for rule in (rule for rule in _words.RULES if rule in by_rule):
        label, outcome = f"{_words.RULES[rule]} per step", by_rule[rule]
        if outcome.state in ("found", "clear"):
            count = sum(_count(finding) for finding in outcome.findings)
            lines = len(outcome.findings)
            detail = f"on {lines} line{'' if lines == 1 else 's'}" if lines else "none seen"
            tiles.append(Tile(label, _words.per_step(count), detail))
        else:
            tiles.append(Tile(label, "–", _words.STATES[outcome.state]))
    joint = _joint(diagnosis)
    if joint is not None:
        return (*tiles, joint)
    waits = [f for r, f in diagnosis.findings() if r in _words.RULES or f.evidence.get("lines")]
    waste = _words.total(waits)
    if waste:
        label = f"estimated cost{_words.on_device(diagnosis)}, per step"
        tiles.append(Tile(label, _words.likely(waste), f"range {_words.span(waste)}"))
    return tuple(tiles)


def _joint(diagnosis: Diagnosis) -> Tile | None:
    """The step without all findings, where it was replayed: their costs overlap and never add up."""
    table = diagnosis.tables.get("what_if")
    for row in table.records() if table else ():
        if row["edit"] == "all findings together":
            low, high = (_words.duration(row[name]) for name in ("low_ns", "high_ns"))
            label = "step without all findings"
            return Tile(label, _words.duration(row["likely_ns"]), f"{low} to {high}, replayed")
    return None


def _step(diagnosis: Diagnosis) -> Tile:
    table = diagnosis.tables.get("step_times")
    by_name = {row["instrument"]: row for row in table.records()} if table else {}
    for name in ("bare", "light", "deep"):
        if name in by_name:
            row = by_name[name]
            where = "" if diagnosis.facts.get("device") == "cuda" else ", on this CPU"
            detail = f"median of {row['count']} {name}{where}"
            pretence, median = diagnosis.coverage.overhead.get("pretence"), row["median_ns"]
            if pretence and isinstance(median, (int, float)):
                detail += f", about {units.ns(median / pretence)} without the pretence"
            return Tile("step time", _words.duration(row["median_ns"]), detail)
    return Tile("step time", "–", "no complete step")


def _sites(found: list[Ranked], diagnosis: Diagnosis) -> Grid:
    heads = (
        Head("#", "number"),
        Head("Line", "code"),
        Head("Per step", "number"),
        Head(f"Likely cost{_words.on_device(diagnosis)}", "number"),
        Head("Instead"),
    )
    most = max((r.finding.saving.likely_ns for r in found if r.finding.saving), default=0)
    rows, more = capped([_site(item, most) for item in found], _SITES)
    return Grid(heads, rows, more, more_in="below")


def _site(item: Ranked, most_ns: int) -> tuple[Cell, ...]:
    finding, saving = item.finding, item.finding.saving
    hint = str(finding.place) if finding.place else ""
    detail = finding.code or item.function or finding.title
    cost = Cell("–")
    if saving:
        bar = saving.likely_ns / most_ns if most_ns else None
        cost = Cell(_words.likely(saving), detail=_words.span(saving), bar=bar)
    return (
        Cell(str(item.rank)),
        Cell(item.where, item.anchor, detail, hint),
        Cell(_words.per_step(finding.evidence.get("per_step"))),
        cost,
        Cell(finding.fix or "–"),
    )


def _count(finding: Finding) -> float:
    value = finding.evidence.get("per_step")
    return float(value) if isinstance(value, (int, float)) else 0.0
