"""Rebuild what reports/ shows from the runs that profiles/ keeps: pages, a Markdown report, a picture.

    python -m scripts.gallery [--to FOLDER] [--no-picture]

A page with charts carries 2 MB of plotly, which would enter the history of this repository again with
every change of a page. So the pages of the gallery have each chart's summary in its place, and the
picture shows the charts. `perfkit report profiles/ctr-found` writes the whole page.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click
from click.testing import CliRunner

from perfkit.cli.analyze import command as analyze
from perfkit.compare.comparison import compare
from perfkit.io.rundir import load_diagnosis
from perfkit.model.diagnosis import Diagnosis
from perfkit.report import _sections, before_after, html, markdown
from perfkit.report._before_after_words import device, name
from perfkit.report.blocks import Block, Figure, Part, Switch, Text
from scripts._browser import browser, opened, picture

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "profiles" / "ctr-found"
PAIR = "profiles/what-if-pairs/losses_without_item"


def ctr_page() -> str:
    """A training program that was profiled on a machine without a GPU."""
    return page_of(load_diagnosis(RUN))


def ctr_markdown() -> str:
    """The same as Markdown."""
    return markdown.render(load_diagnosis(RUN))


def trace_page() -> str:
    """A trace that somebody else recorded."""
    return page_of(analysed("before"))


def before_after_page() -> str:
    """Two runs of one program beside each other."""
    comparison = compare(analysed("before"), analysed("after"))
    blocks = without_charts(before_after.blocks(comparison))
    return html.page(blocks, name(comparison), device(comparison), "--format json")


PAGES: dict[str, Callable[[], str]] = {
    "ctr-found.html": ctr_page,
    "ctr-found.md": ctr_markdown,
    "losses-with-item.html": trace_page,
    "losses-before-after.html": before_after_page,
}


def page_of(diagnosis: Diagnosis) -> str:
    """The report of one run, charts in words."""
    blocks = without_charts(_sections.blocks(diagnosis))
    return html.page(blocks, diagnosis.run, diagnosis.facts.get("device", "unknown device"))


def analysed(which: str) -> Diagnosis:
    """What `perfkit analyze` says of one trace of the pair."""
    trace = f"{PAIR}.{which}.json.gz"
    done = CliRunner().invoke(analyze, ["--json", "--no-cache", str(ROOT / trace)])
    assert done.exit_code == 0, done.output
    text = done.stdout.replace(str(ROOT / trace), trace)
    return Diagnosis.from_json(json.loads(text))


def without_charts(blocks: Sequence[Block]) -> list[Block]:
    """The blocks with the words of each chart in its place."""
    return [replace(block, parts=tuple(map(_worded, block.parts))) for block in blocks]


def _worded(part: Part) -> Part:
    if isinstance(part, Figure):
        return Text(f"The chart that stands here in a page of your own, in words: {part.summary}.")
    if isinstance(part, Switch):
        views = (replace(view, parts=tuple(map(_worded, view.parts))) for view in part.views)
        return replace(part, views=tuple(views))
    return part


def told(page: str) -> str:
    """A page without what only decides how it looks: styles, scripts, their hashes and its size."""
    plain = re.sub(r"<(style|script type=\"module\")>.*?</(style|script)>", "", page, flags=re.S)
    plain = re.sub(r'content="default-src[^"]*"', "", plain)
    return re.sub(r"One file, [^,]+,", "One file,", plain)


def take_picture(out: Path, folder: Path) -> None:
    """The first screen of the whole page, charts included, as the README shows it."""
    file = folder / "ctr-found-whole.html"
    file.write_text(html.render(load_diagnosis(RUN)), encoding="utf-8")
    with browser() as chromium:
        picture(opened(chromium, file.as_uri(), 1280, 800), out)
    file.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "reports")
    parser.add_argument("--no-picture", action="store_true")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    for file, made in PAGES.items():
        (options.to / file).write_text(made(), encoding="utf-8")
        click.echo(options.to / file)
    if not options.no_picture:
        take_picture(options.to / "ctr-found.png", options.to)
        click.echo(options.to / "ctr-found.png")


if __name__ == "__main__":
    main()
