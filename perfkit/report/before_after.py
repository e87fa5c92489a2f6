"""Two runs beside each other: what differs around them, the step, the lines, the findings."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text as Line

from perfkit.base import units
from perfkit.compare.comparison import Comparison
from perfkit.compare.findings import FindingChange
from perfkit.compare.lines import LineChange
from perfkit.compare.steps import Sample
from perfkit.compare.totals import Total
from perfkit.report import _words, html, markdown
from perfkit.report._before_after_words import (
    WAITING,
    certainty,
    device,
    name,
    next_step,
    waiting,
    what,
    why,
)
from perfkit.report._text import short_names, visible
from perfkit.report.blocks import (
    Block,
    Cell,
    Figure,
    Grid,
    Head,
    Hero,
    Part,
    Text,
    Tile,
    capped,
)

_ROWS = 200
_IN_TERMINAL = 6
_JUDGED = {"unknown": "not judged", "same": "no measurable difference"}


def page(comparison: Comparison) -> str:
    """One HTML document."""
    return html.page(blocks(comparison), name(comparison), device(comparison), "--format json")


def text(comparison: Comparison) -> str:
    """The same as Markdown."""
    return markdown.page(blocks(comparison), name(comparison))


def blocks(comparison: Comparison) -> list[Block]:
    """The sections that have something to say; what makes the runs incomparable comes first."""
    made = [
        Block("verdict", "Verdict", _verdict(comparison)),
        _surroundings(comparison),
        _steps(comparison),
        _lines(comparison),
        _findings(comparison),
    ]
    return [block for block in made if block is not None]


def show(comparison: Comparison, console: Console, written: str = "") -> None:
    """The verdict and the largest changes on one terminal screen."""

    def line(told: str, style: str = "") -> None:
        console.print(Line(visible(told), style), soft_wrap=True)

    line(f"perfkit  {name(comparison)}", "bold")
    for fact in comparison.differences:
        mark = "not comparable" if fact.forbids else "differs"
        line(f"{mark}: {fact.name}: {fact.before} → {fact.after}", "yellow")
    line(what(comparison), "bold")
    counted = comparison.lead == "counts"
    if counted:
        line(why(comparison))
    if told := certainty(comparison):
        line(told, "dim")
    for side, sample in zip(("before", "after"), _samples(comparison), strict=True):
        if sample and sample.starved_cores is not None:
            line(f"{side}: {sample.warning}", "yellow")
    if not counted:
        line(why(comparison))
    changed = [each for each in comparison.lines if each.change]
    names = short_names(_files(comparison))
    for each in changed[:_IN_TERMINAL]:
        counts = " → ".join(_counts(each, comparison))
        line(f"  {_place(each, names)}: {counts} {each.shown.op}")
    if len(changed) > _IN_TERMINAL:
        line(f"  {len(changed) - _IN_TERMINAL} more lines changed", "dim")
    for found in (*comparison.found("new"), *comparison.found("gone"))[:_IN_TERMINAL]:
        style = "red" if found.state == "new" else "green"
        line(f"  {found.state}: {found.rule}: {found.shown.title}", style)
    line(f"Next: {next_step(comparison)}")
    if written:
        line(f"Page: {written}", "cyan")


def _verdict(comparison: Comparison) -> tuple[Part, ...]:
    tiles = [_step_tile(comparison), *map(_total_tile, comparison.totals)]
    if comparison.lead == "counts":
        tiles = [*tiles[1:], *_cost_tile(comparison), tiles[0]]
    hero = Hero(what(comparison), why(comparison), next_step(comparison), tuple(tiles))
    forbidding = [each for each in comparison.differences if each.forbids]
    if forbidding:
        told = "; ".join(f"{each.name}: {each.before} → {each.after}" for each in forbidding)
        return (Text(f"Times of these runs cannot be compared: {told}."), hero)
    told = certainty(comparison)
    return (hero, Text(told)) if told else (hero,)


def _step_tile(comparison: Comparison) -> Tile:
    steps = comparison.steps
    times = [_words.duration(each.median_ns) if each else "–" for each in _samples(comparison)]
    told = _JUDGED.get(steps.judgement, steps.judgement)
    if steps.ratio is not None:
        told += f", ratio {steps.ratio:.3f}"
    label = "step time on this CPU" if comparison.pretended else "step time"
    return Tile(label, " → ".join(times), told)


def _cost_tile(comparison: Comparison) -> tuple[Tile, ...]:
    told = waiting(comparison)
    likely = [_words.likely(cost) if cost.high_ns else "0" for cost in comparison.waiting if cost]
    return (Tile(f"{WAITING}, per step", " → ".join(likely), f"range {told}"),) if told else ()


def _total_tile(total: Total) -> Tile:
    value = f"{_words.per_step(total.before)} → {_words.per_step(total.after)}"
    told = "" if total.change is None else _signed(total.change)
    return Tile(f"{total.words} per step", value, told or "not counted in both")


def _surroundings(comparison: Comparison) -> Block | None:
    if not comparison.differences:
        return None
    heads = (Head("What"), Head("Before"), Head("After"), Head("Meaning"))
    rows = tuple(
        (
            Cell(each.name),
            Cell(each.before),
            Cell(each.after),
            Cell("times cannot be compared" if each.forbids else "may be the reason"),
        )
        for each in comparison.differences
    )
    lead = "What was not the same around the two runs."
    return Block("surroundings", "Differences of the surroundings", (Grid(heads, rows),), lead)


def _steps(comparison: Comparison) -> Block | None:
    samples = _samples(comparison)
    if not any(samples):
        return None
    heads = (
        Head("Run"),
        Head("Instrument"),
        Head("Steps", "number"),
        Head("Median", "number"),
        Head("Note"),
    )
    rows = tuple(
        (
            Cell(side),
            Cell(each.instrument),
            Cell(units.count(each.count)),
            Cell(_words.duration(each.median_ns)),
            Cell(each.warning or "–"),
        )
        for side, each in zip(("before", "after"), samples, strict=True)
        if each
    )
    lead = (
        "Each step of the least distorted measurement that both runs have. The interval is of the factor "
        "between all pairs of steps (Mann and Whitney); what one run wanders within itself is no difference. "
        "What is the same in a whole run and another in the next, such as other work on the machine, cannot "
        "be seen here: measure again in the other order."
    )
    title = "Step time on this CPU" if comparison.pretended else "Step time"
    return Block("steps", title, (*_figure(comparison), Grid(heads, rows)), lead)


def _figure(comparison: Comparison) -> tuple[Figure, ...]:
    """Every step of both as dots in the order of capture."""
    samples = [each for each in _samples(comparison) if each and each.durations_ns]
    if len(samples) < 2:
        return ()
    series: list[dict[str, Any]] = []
    for side, colour, each in zip(("before", "after"), ("--c2", "--c1"), samples, strict=True):
        series.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": side,
                "x": list(range(1, len(each.durations_ns) + 1)),
                "y": [duration / 1e6 for duration in each.durations_ns],
                "marker": {"color": colour, "symbol": "circle" if side == "after" else "diamond"},
                "hovertemplate": f"{side}, step %{{x}}: %{{y:.4g}} ms<extra></extra>",
            }
        )
    layout = {
        "height": 300,
        "xaxis": {"title": {"text": f"{samples[0].instrument} step"}},
        "yaxis": {"ticksuffix": " ms", "rangemode": "tozero"},
    }
    told = ", ".join(
        f"{side} {_words.duration(each.median_ns)} in the median of {each.count} steps"
        for side, each in zip(("before", "after"), samples, strict=True)
    )
    return (Figure("chart-steps", {"data": series, "layout": layout}, told),)


def _lines(comparison: Comparison) -> Block | None:
    if not comparison.lines:
        return None
    names = short_names(_files(comparison))
    heads = (
        Head("Line", "code"),
        Head("Operator", "code"),
        Head("Kind"),
        Head("Before, per step", "number"),
        Head("After, per step", "number"),
        Head("Change", "number"),
    )
    rows, more = capped([_line(each, names, comparison) for each in comparison.lines], _ROWS)
    changed = sum(bool(each.change) for each in comparison.lines)
    lead = (
        f"{changed} of {len(comparison.lines)} lines changed. A line is found again by its operator, "
        "function and text, wherever it stands now."
    )
    return Block(
        "lines", "Synchronisations and copies, line by line", (Grid(heads, rows, more),), lead
    )


def _line(each: LineChange, names: dict[str, str], comparison: Comparison) -> tuple[Cell, ...]:
    one = each.shown
    before, after = _counts(each, comparison)
    return (
        Cell(_place(each, names), detail=one.code or one.function, hint=one.file or ""),
        Cell(one.op),
        Cell(one.kind),
        Cell(before),
        Cell(after),
        Cell("–" if "–" in (before, after) else _signed(each.change)),
    )


def _place(each: LineChange, names: dict[str, str]) -> str:
    """`model.py:42`, with the line before where it is another now."""
    one, old = each.shown, each.before
    if one.file is None:
        return "no Python line"
    where = f"{names[one.file]}:{one.line}"
    if each.after is None or old is None or old.line == one.line:
        return where
    return f"{where} (was {old.line})"


def _counts(each: LineChange, comparison: Comparison) -> tuple[str, str]:
    """Per step before and after: a line that is not there waits 0 times, if anybody looked."""
    looked = comparison.total("syncs")
    before, after = (
        _words.per_step(line.per_step if line else 0 if seen is not None else None)
        for line, seen in ((each.before, looked.before), (each.after, looked.after))
    )
    return before, after


def _findings(comparison: Comparison) -> Block | None:
    if not comparison.findings:
        return None
    heads = (
        Head("State", "code"),
        Head("Rule", "code"),
        Head("Finding"),
        Head("Estimated", "number"),
    )
    names = short_names(each.shown.place.file for each in comparison.findings if each.shown.place)
    rows, more = capped([_finding(each, names) for each in comparison.findings], _ROWS)
    parts: list[Part] = [Grid(heads, rows, more)]
    if comparison.predicted:
        parts.append(Text(_prediction(comparison)))
    return Block("findings", "Findings: new, gone, remained", tuple(parts))


def _finding(each: FindingChange, names: dict[str, str]) -> tuple[Cell, ...]:
    finding = each.shown
    place = f"{names[finding.place.file]}:{finding.place.line}" if finding.place else ""
    return (
        Cell(each.state, detail=each.why),
        Cell(each.rule),
        Cell(finding.title, detail=place, hint=str(finding.place) if finding.place else ""),
        Cell(_words.span(finding.saving) if finding.saving else "–"),
    )


def _prediction(comparison: Comparison) -> str:
    assert comparison.predicted is not None
    where = "" if comparison.devices[0] == "cuda" else " on CUDA"
    told = f"Predicted saving of what is gone{where}: {_words.span(comparison.predicted)} per step"
    saved = comparison.steps.saved_ns
    if saved is None or comparison.steps.judgement == "unknown":
        return f"{told}; the measured gain is not known."
    here = "" if comparison.devices[0] == "cuda" else " on this CPU, which is no test of it"
    return f"{told}; measured: {_words.duration(saved)}{here}."


def _samples(comparison: Comparison) -> tuple[Sample | None, Sample | None]:
    return comparison.steps.before, comparison.steps.after


def _files(comparison: Comparison) -> list[str]:
    sides = [line for each in comparison.lines for line in (each.before, each.after)]
    return [line.file for line in sides if line and line.file]


def _signed(value: float) -> str:
    if not value:
        return "no change"
    return f"{'+' if value > 0 else '−'}{_words.per_step(abs(value))}"
