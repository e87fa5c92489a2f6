"""`perfkit monitor`: look at any process from outside, GPU and host, and keep what was seen."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfkit.cli._options import page_options

if TYPE_CHECKING:  # psutil and NVML come with the capture
    from rich.console import Console

    from perfkit.capture.sampler import Sampler
    from perfkit.capture.watching import Watched
    from perfkit.model.run import Run

_TURN_S = 0.25


@click.command(short_help="Watch GPU and host of any process or command.")
@click.option("--pid", type=click.IntRange(min=1), metavar="P", help="Watch a running process.")
@click.option(
    "--hz",
    type=click.FloatRange(0, 100, min_open=True),
    default=20,
    show_default=True,
    help="Samples per second.",
)
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=5,
    show_default=True,
    metavar="S",
    help="Seconds between lines, where no table is drawn.",
)
@click.option("--live", is_flag=True, help="Draw the table even if the command writes beside it.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing while it runs.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the run.")
@page_options
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@click.pass_context
def command(
    ctx: click.Context,
    pid: int | None,
    hz: float,
    every: float,
    live: bool,
    quiet: bool,
    out: Path | None,
    report: Path | None,
    no_report: bool,
    command: tuple[str, ...],
) -> None:
    """Sample the GPUs and the host while COMMAND runs, or while the process P does.

    Nothing is put into the process. It ends when the process does, or with Ctrl-C; the exit code is the
    command's. On a terminal a table is kept up to date, unless the command writes there too; the run
    goes to profiles/, a page to reports/.

    \b
    Examples:
      perfkit monitor -- python train.py
      perfkit monitor --pid 4242
    """
    from perfkit.capture.watching import ended_in_words, running, started
    from perfkit.io.rundir import reserved, reserved_by_name

    if (pid is None) == (not command):
        raise click.UsageError("name one thing to watch: --pid P, or -- COMMAND")
    name = f"pid-{pid}" if pid is not None else Path(command[0]).stem
    folder = Path.cwd()
    with reserved(out) if out else reserved_by_name(folder / "profiles", name) as directory:
        watched = running(pid) if pid is not None else started(command)
        on_screen = live or (pid is not None or not sys.stdout.isatty())
        sampler, by_itself = _watch(watched, hz, None if quiet else every, on_screen)
        code = watched.exit_code()
        ended = ended_in_words(code, by_itself)
        run = directory.write(_run(directory.name, command, ended, code, sampler))
        page = None if no_report else report or folder / "reports" / f"{directory.name}.html"
        _conclude(run, page, quiet)
    ctx.exit(code or 0)


def _watch(
    watched: Watched, hertz: float, every: float | None, on_screen: bool
) -> tuple[Sampler, bool]:
    """Sample until it ends; the sampler, ended, and whether the process ended before Ctrl-C."""
    from rich.console import Console

    from perfkit.capture.sampler import Sampler
    from perfkit.capture.sources import sources

    sampler = Sampler(lambda: sources(watched.pid, watched.environment), hertz)
    sampler.start()
    console = Console(stderr=True, highlight=False)
    try:
        if every is None:
            while not watched.ended_within(_TURN_S):
                pass
        elif on_screen and console.is_terminal:
            _draw(watched, sampler, console)
        else:
            _tell(watched, sampler, console, every)
        by_itself = True
    except KeyboardInterrupt:
        watched.interrupt()
        by_itself = False
    finally:
        sampler.stop()
    return sampler, by_itself


def _draw(watched: Watched, sampler: Sampler, console: Console) -> None:
    """A table on the terminal, four times a second."""
    from rich.live import Live

    from perfkit.cli._gauges import table

    title = f"process {watched.pid}, Ctrl-C ends"
    with Live(table({}, title), console=console, auto_refresh=False, transient=True) as screen:
        while not watched.ended_within(_TURN_S):
            screen.update(table(sampler.last(), title), refresh=True)


def _tell(watched: Watched, sampler: Sampler, console: Console, every: float) -> None:
    """A line now and then."""
    from perfkit.cli._gauges import line

    began = told = time.monotonic()
    while not watched.ended_within(min(every, _TURN_S)):
        now = time.monotonic()
        if now - told >= every:
            told = now
            text = line(sampler.last(), now - began)
            console.print(text, markup=False, soft_wrap=True)


def _run(name: str, words: tuple[str, ...], ended: str, code: int | None, sampler: Sampler) -> Run:
    from perfkit.analysis.device_samples import devices
    from perfkit.model.run import Run

    samples = sampler.samples()
    gpus = devices(samples)
    env = {each.subject: each.identity.get("name", "unknown") for each in gpus}
    return Run(
        name=name,
        command=("perfkit", "monitor", "--", *words) if words else ("perfkit", *sys.argv[1:]),
        device="cuda" if gpus else "cpu",
        env=env,
        step_marker="none: a process seen from outside",
        ended=ended,
        exit_code=code,
        samples=samples,
        source="monitor",
    )


def _conclude(run: Run, page: Path | None, quiet: bool) -> None:
    from rich.console import Console

    from perfkit.cli._conclude import conclude
    from perfkit.report.terminal import render

    diagnosis = conclude(run, page)
    if not quiet:
        console = Console(stderr=True)
        render(diagnosis, console, page)
        console.print(f"{'Run':<11}{run.directory}", highlight=False, markup=False, soft_wrap=True)
