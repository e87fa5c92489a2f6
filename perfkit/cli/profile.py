"""`perfkit profile`: run a script unmodified, measure its steps, say what to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfkit.base.errors import PerfkitError
from perfkit.cli._options import page_options

if TYPE_CHECKING:  # torch comes with the capture, and `perfkit --help` must not wait for it
    from perfkit.capture.script import Ended, Program
    from perfkit.capture.session import Session
    from perfkit.io.rundir import RunDirectory
    from perfkit.model.diagnosis import Diagnosis
    from perfkit.model.run import Run


@dataclass(frozen=True)
class Options:
    """The options as given; None and False where they were not."""

    out: Path | None
    report: Path | None
    no_report: bool
    device: Any
    steps: int | None
    warmup: int | None
    max_seconds: float | None
    max_bytes: int
    region: str | None
    sample_hz: float
    capture_inputs: tuple[str, ...]
    capture_bytes: int
    stop_after: bool
    quiet: bool
    open_page: bool
    json: bool
    module: str | None


class _LikePython(click.Command):
    """What follows SCRIPT or `-m MODULE` belongs to the program, options included."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        valued = {
            name
            for item in self.params
            if isinstance(item, click.Option) and not item.is_flag
            for name in item.opts
        }
        position = 0
        while position < len(args):
            word = args[position]
            if word == "--" or not word.startswith("-"):
                break
            position += 2 if word in valued else 1
            if word.startswith("-m"):
                args = [*args[:position], "--", *args[position:]]
                break
        return super().parse_args(ctx, args)


@click.command(
    cls=_LikePython,
    context_settings={"allow_interspersed_args": False},
    short_help="Run a script unmodified and say what its steps wait for.",
    options_metavar="[OPTIONS]",
)
@click.option("-m", "module", metavar="MODULE", help="Run a module, as python -m does.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the run; new."
)
@page_options
@click.option(
    "--device",
    type=click.Choice(["auto", "cuda", "pretend-cuda", "cpu"]),
    default="auto",
    show_default=True,
    help="How synchronisations are found: on the GPU; with a pretend one; or by reading a CPU program.",
)
@click.option("--steps", type=click.IntRange(min=3), metavar="N", help="Measure N steps in all.")
@click.option("--warmup", type=click.IntRange(min=0), metavar="N", help="Exactly N warm-up steps.")
@click.option("--max-seconds", type=click.FloatRange(min=0), metavar="S", help="Measure this long.")
@click.option(
    "--max-bytes",
    type=click.IntRange(min=0),
    default=256 * 2**20,
    show_default=True,
    metavar="B",
    help="Largest trace to keep.",
)
@click.option(
    "--region", metavar="NAME", help="Steps are passes through this perfkit.instrument region."
)
@click.option(
    "--sample-hz",
    type=click.FloatRange(0, 100),
    default=20,
    show_default=True,
    metavar="F",
    help="Look at GPU and host F times a second; 0 for never.",
)
@click.option(
    "--capture-inputs",
    multiple=True,
    metavar="NAME",
    help="Save the arguments of real calls: of a region, an nn.Module class, or module:function.",
)
@click.option(
    "--capture-bytes",
    type=click.IntRange(min=0),
    default=256 * 2**20,
    show_default=True,
    metavar="B",
    help="Most bytes of arguments to save in all.",
)
@click.option("--stop-after", is_flag=True, help="End the script once everything is measured.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing unless something is wrong.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@click.option("--json", is_flag=True, help="Print only the diagnosis on stdout, as JSON.")
@click.argument("program", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT [ARGS]...")
def command(program: tuple[str, ...], **options: Any) -> int:
    """Run SCRIPT unmodified, find and measure its steps, and list every place where the host waits
    for the device.

    The run goes to profiles/, a page to reports/, the verdict to the terminal (stderr). The script's
    output and exit code are its own. Steps are found by themselves: calls of perfkit.step(),
    optimizer.step, DataLoader batches, or the outermost module's forward.

    \b
    Examples:
      perfkit profile train.py
      perfkit profile --steps 30 --stop-after train.py
      perfkit profile -m package.train
    """
    return profile(program, Options(**options))


def profile(words: tuple[str, ...], options: Options) -> int:
    """The whole command; returns the exit code."""
    from perfkit.io.rundir import reserved_for_capture

    command_line = ("perfkit", *sys.argv[1:])  # before the program gets its own
    program = _program(words, options.module)
    if isinstance(program, int):
        return program
    folder = Path.cwd()
    report = None if options.no_report else options.report and options.report.absolute()
    place = reserved_for_capture(options.out, folder / "profiles", program.name)
    with place as directory, _own_stdout(options.json) as stdout:
        if not options.no_report and report is None:
            report = folder / "reports" / f"{directory.launch.name}.html"
        session, ended, run = _capture(program, options, directory, command_line)
        diagnosis = _conclude(run, directory, report, folder)
        if options.json and diagnosis is not None:
            _print_json(diagnosis, stdout)
    if not options.quiet and diagnosis is not None:
        _tell(diagnosis, directory.launch, report)
    if options.open_page and report is not None and diagnosis is not None:
        click.launch(report.as_uri())
    if ended.exit_code == 0 and not run.steps:
        raise PerfkitError(
            f"{session.no_steps()}; the run was saved to {run.directory} without a step",
            "call perfkit.step() at the end of each step, or name one with "
            "@perfkit.instrument('name') and --region name",
        )
    return ended.exit_code


def _program(words: tuple[str, ...], module_name: str | None) -> Program | int:
    """The program; or the exit code when its own source does not compile, as Python would end."""
    from perfkit.capture import script

    if not words and module_name is None:
        raise click.UsageError("name the script to profile: perfkit profile train.py")
    try:
        if module_name is not None:
            return script.module(module_name, words)
        return script.script(words[0], words[1:])
    except SyntaxError as error:
        script.print_exception(error.with_traceback(None))
        return 1


def _capture(
    program: Program, options: Options, directory: RunDirectory, command_line: tuple[str, ...]
) -> tuple[Session, Ended, Run]:
    from perfkit.capture import script
    from perfkit.capture.captured_inputs import AskedInputs
    from perfkit.capture.progress import Progress
    from perfkit.capture.schedule import Limits
    from perfkit.capture.session import Session, Settings

    seconds = options.max_seconds
    limits = Limits(
        steps=options.steps,
        warmup=options.warmup,
        max_ns=None if seconds is None else int(seconds * 1e9),
        max_bytes=options.max_bytes,
    )
    if directory.rank is not None:
        limits = limits.in_lockstep()
    settings = Settings(
        device=options.device,
        limits=limits,
        region=options.region,
        stop_after=options.stop_after,
        sample_hz=options.sample_hz,
        inputs=AskedInputs(options.capture_inputs, options.capture_bytes),
        command=command_line,
    )
    pid = os.getpid()
    shown = not options.quiet and (directory.rank is None or directory.rank.index == 0)
    session = Session(settings, directory, Progress(shown))
    with session, script.sigterm_raises():
        ended = script.run(program)
    if os.getpid() != pid:  # the program forked, and this is the child
        sys.exit(ended.exit_code)
    where = "" if ended.exit_code == 0 else f" {session.where()}"
    return session, ended, session.finish(ended.how + where, ended.exit_code)


def _conclude(
    run: Run, directory: RunDirectory, report: Path | None, folder: Path
) -> Diagnosis | None:
    """What to show; None where that is another rank's to do."""
    from perfkit.cli._rank_runs import conclude_capture

    return conclude_capture(run, directory, report, folder)[1]


def _tell(diagnosis: Diagnosis, directory: Path, report: Path | None) -> None:
    from rich.console import Console

    from perfkit.report.terminal import render

    console = Console(stderr=True)
    render(diagnosis, console, report)
    console.print(f"{'Run':<11}{directory}", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _own_stdout(wanted: bool) -> Iterator[int]:
    """With --json everything the program prints goes to stderr; yields where stdout really is."""
    with nullcontext() if not wanted else _stdout_to_stderr() as real:
        yield 1 if real is None else real


@contextmanager
def _stdout_to_stderr() -> Iterator[int]:
    sys.stdout.flush()
    real = os.dup(1)
    os.dup2(2, 1)
    try:
        yield real
    finally:
        sys.stdout.flush()
        os.dup2(real, 1)
        os.close(real)


def _print_json(diagnosis: Diagnosis, stdout: int) -> None:
    import json

    sys.stdout.flush()
    with os.fdopen(os.dup(stdout), "w", encoding="utf-8") as stream:
        json.dump(diagnosis.to_json(), stream)
        stream.write("\n")
