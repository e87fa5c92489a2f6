"""The verdict on one terminal screen of 80 by 24, with or without colour."""

from __future__ import annotations

import textwrap
from pathlib import Path

from rich.console import Console
from rich.text import Text

from perfkit.model.diagnosis import Diagnosis
from perfkit.report import _words
from perfkit.report._findings import Ranked, is_part, ranked
from perfkit.report._remedies import next_commands
from perfkit.report._text import visible

_SITES = 5
_SENTENCE = 210
"""Characters: three lines of 80 with their label."""
_LINES = 3
_HEIGHT = 22
"""Two lines less than the screen: for what the command adds, and the prompt."""
_LABEL = 11
_NUMBERS = (0, 3)
_STYLES = ["bold", "cyan", "", "yellow"]


def render(diagnosis: Diagnosis, console: Console, page: Path | None = None) -> None:
    """Print verdict, worst lines, coverage, and where the page is."""
    width, verdict = console.width, diagnosis.verdict
    top = [_head(diagnosis, width)]
    top += _wrapped(visible(verdict.what, _SENTENCE), width, "bold")
    top += [Text(), *_labelled("Why", verdict.why, width), *_labelled("Next", verdict.next, width)]
    found = [item for item in ranked(diagnosis) if not is_part(item.finding)]
    commands = next_commands(found, diagnosis)
    # whole, however long: a command that was cut or wrapped cannot be copied
    top += [Text(" " * _LABEL).append(visible(one.text), "cyan") for one in commands]
    bottom = [Text(), *_labelled("Stands on", _words.coverage_line(diagnosis), width, 3)]
    joint = diagnosis.facts.get("all findings together")
    if joint:
        bottom[1:1] = _labelled("Together", joint, width, 1)
    limit = diagnosis.facts.get("limited by")
    if limit:
        bottom[1:1] = _labelled("Limited by", limit, width)
    missing = dict.fromkeys(what for what, _ in _words.not_checked(diagnosis))
    if missing:
        names = visible(", ".join(missing), max(20, width - _LABEL) - 1)
        bottom += _labelled("Caveats", names, width, 1)
    if page is not None:
        bottom += [Text(f"{'Report':<{_LABEL}}", "dim").append(visible(str(page)), "not dim cyan")]
    wrapped = sum((len(line) - 1) // width for line in top if len(line))
    room = _HEIGHT - len(top) - len(bottom) - wrapped
    for line in [*top, *(_sites(found, diagnosis, width, room) if found else ()), *bottom]:
        console.print(line, soft_wrap=True)


def _head(diagnosis: Diagnosis, width: int) -> Text:
    device = visible(diagnosis.facts.get("device", "unknown device"), 16)
    name = visible(diagnosis.run, max(8, width - len(device) - 12))
    gap = max(2, width - len(device) - len(name) - len("perfkit  "))
    return Text.assemble(("perfkit  ", "bold"), name, " " * gap, (device, "dim"))


def _labelled(label: str, text: str, width: int, most: int = _LINES) -> list[Text]:
    style = "not dim green" if label == "Next" else "not dim"
    lines = textwrap.wrap(visible(text, _SENTENCE), max(20, width - _LABEL) - 1)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1] + "…"]
    heads = [label, *[""] * most]
    return [
        Text(f"{head:<{_LABEL}}", "dim").append(line, style)
        for head, line in zip(heads, lines, strict=False)
    ]


def _wrapped(text: str, width: int, style: str) -> list[Text]:
    return [Text(line, style) for line in textwrap.wrap(text, width)[:_LINES]]


def _sites(found: list[Ranked], diagnosis: Diagnosis, width: int, room: int) -> list[Text]:
    """The worst lines in at most `room` lines: a row each, advice under as many as fit."""
    heads = ("per step", "line", "kind", f"cost{_words.on_device(diagnosis)}")
    shown = found[: max(1, min(_SITES, room - 3))]
    advised = room - 2 - len(shown) - (len(found) > len(shown))
    rows = [_site(item) for item in shown]
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    lines = [Text(), _row(heads, widths, ["dim"] * len(heads))]
    indent = " " * (widths[0] + 2)
    for index, (item, row) in enumerate(zip(shown, rows, strict=True)):
        lines.append(_row(row, widths, _STYLES))
        if index < advised:
            advice = visible(item.finding.fix or item.finding.title, width - len(indent))
            lines.append(Text(indent + advice, "green"))
    if len(found) > len(shown):
        lines.append(Text(f"{indent}{len(found) - len(shown)} more in the report", "dim"))
    return lines


def _row(row: tuple[str, ...], widths: list[int], styles: list[str]) -> Text:
    line = Text()
    for index, (text, width, style) in enumerate(zip(row, widths, styles, strict=True)):
        line.append(f"{text:>{width}}" if index in _NUMBERS else f"{text:<{width}}", style)
        line.append("  " if index < len(row) - 1 else "")
    return line


def _site(item: Ranked) -> tuple[str, ...]:
    finding = item.finding
    return (
        _words.per_step(finding.evidence.get("per_step")),
        _tail(visible(item.where), 32),
        visible(str(finding.evidence.get("kinds") or item.rule), 20),
        _words.span(finding.saving) if finding.saving else "–",
    )


def _tail(text: str, width: int) -> str:
    """The end of a path tells more than its beginning."""
    return text if len(text) <= width else "…" + text[1 - width :]
