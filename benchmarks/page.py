"""How large a page is and how fast a browser opens it: one row per trace or recorded run.

    python benchmarks/page.py TRACE|RUN... [--size MB] [--rounds 5] [--json FILE]

A TRACE is read and diagnosed first (`--size` repeats it until it has that many 10^6 bytes of raw JSON,
see `_inflate`); a RUN is a recorded run directory. Each page is opened afresh by Chromium, offline, at
1280 by 900, nothing cached; a row is the median of the rounds:

    size        the file, MiB (10^6 would flatter it)
    write       seconds from the diagnosis to the page
    paint       ms until the first text stands on the screen
    usable      ms until links, filters and sorting answer: the page's scripts have run
    busy        ms of main-thread tasks longer than 50 ms until then and in the second after
    chart       ms from scrolling to a chart until it is drawn, the first one (unpacks plotly)
    timeline    ms from scrolling to the timeline until it is drawn

The budgets: 6 MiB and 1.5 s until usable, whatever the trace's size. Exit code 3 where one is exceeded.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MIB = 2**20
BUDGET_MIB = 6.0
BUDGET_MS = 1_500.0
OVER_BUDGET = 3
COLUMNS = ("page", "size", "write", "paint", "usable", "busy", "chart", "timeline")
_ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run")
_WATCH = """
    window.busy = 0;
    new PerformanceObserver((list) => {
        for (const task of list.getEntries()) window.busy += task.duration - 50;
    }).observe({ type: "longtask", buffered: true });
"""
_TIMES = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    return { paint: paint ? paint.startTime : null, usable: page.domContentLoadedEventEnd };
}"""
_SCROLL = """(selector) => new Promise((done) => {
    const chart = document.querySelector(selector);
    if (!chart) return done(null);
    const began = performance.now();
    chart.scrollIntoView({ behavior: "instant" });
    const look = () => {
        const passed = performance.now() - began;
        if (chart.querySelector(".main-svg") || passed > 20000) done(passed);
        else requestAnimationFrame(look);
    };
    look();
})"""


def write_page(source: Path, folder: Path, size_mb: float | None) -> tuple[Path, float]:
    """The page of a trace or run in `folder`, and the seconds that writing it took."""
    from perfkit.report.html import render

    diagnosis = _diagnosis(source, folder, size_mb)
    began = time.perf_counter()
    text = render(diagnosis)
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    return file, time.perf_counter() - began


def _diagnosis(source: Path, folder: Path, size_mb: float | None) -> Any:
    from perfkit.analysis.trace_run import trace_run
    from perfkit.io.chrome import read_trace
    from perfkit.model.diagnosis import Diagnosis
    from perfkit.rules import diagnose

    if source.is_dir():
        told = json.loads((source / "diagnosis.json").read_text(encoding="utf-8"))
        return Diagnosis.from_json(told)
    if size_mb is not None:
        from _inflate import inflate

        source = inflate(source, size_mb, folder / "trace.json")
    return diagnose(trace_run(read_trace(source), source.stem))


def measure(file: Path, rounds: int) -> dict[str, float | None]:
    """Medians over the rounds; a value is None where the page has no such thing."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    found: list[dict[str, float | None]] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_ARGUMENTS))
        for _ in range(rounds):
            size = {"width": 1280, "height": 900}
            context = browser.new_context(viewport=size, offline=True)
            context.add_init_script(_WATCH)
            page = context.new_page()
            page.goto(file.resolve().as_uri())
            page.wait_for_timeout(1_000)
            times = page.evaluate(_TIMES)
            times["busy"] = page.evaluate("window.busy")
            times["chart"] = page.evaluate(_SCROLL, ".chart")
            times["timeline"] = page.evaluate(_SCROLL, "#chart-timeline")
            found.append(times)
            context.close()
        browser.close()
    return {name: _median([row[name] for row in found]) for name in found[0]}


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def row(source: Path, size_mb: float | None, rounds: int) -> dict[str, Any]:
    """What is printed for one trace or run."""
    with tempfile.TemporaryDirectory() as folder:
        file, write_s = write_page(source, Path(folder), size_mb)
        size = file.stat().st_size / MIB
        name = source.name if size_mb is None else f"{source.name} x {size_mb:g} MB"
        return {"page": name, "size": size, "write": write_s, **measure(file, rounds)}


def within(found: dict[str, Any]) -> bool:
    """Whether a page keeps both budgets."""
    return found["size"] <= BUDGET_MIB and (found["usable"] or 0.0) <= BUDGET_MS


def line(found: dict[str, Any]) -> str:
    """A row as text."""
    cells = [f"{str(found['page'])[:40]:<40}"]
    for name in COLUMNS[1:]:
        value, digits = found[name], 2 if name in ("size", "write") else 0
        cells.append(f"{'–' if value is None else format(value, f'.{digits}f'):>9}")
    return "".join(cells)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--size", type=float)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{'':<40}" + "".join(f"{name:>9}" for name in COLUMNS[1:]))
    rows = []
    for source in options.sources:
        rows.append(row(source, options.size, options.rounds))
        print(line(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0 if all(map(within, rows)) else OVER_BUDGET


if __name__ == "__main__":
    raise SystemExit(main())
