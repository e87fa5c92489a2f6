"""`perfkit report`: show again what was concluded from a run, on any machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from perfkit.base.errors import PerfkitError
from perfkit.base.files import write_text
from perfkit.cli._options import elsewhere_option, named_run, run_names
from perfkit.model.diagnosis import Diagnosis

FORMATS = ("html", "md", "json", "terminal", "sarif", "github")


@click.command()
@click.argument(
    "sources",
    nargs=-1,
    required=True,
    metavar="RUN [RUN]",
    type=click.Path(path_type=Path),
    shell_complete=run_names,
)
@click.option(
    "--format",
    "style",
    type=click.Choice(FORMATS),
    help="Without it a page is written, and the terminal shows the verdict.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Where the page or text goes."
)
@click.option(
    "--fail-if",
    metavar="LIMITS",
    help="Of two runs: slower=5%, syncs=+1, copies=+1, launches=+10%, findings=+1; several with commas.",
)
@click.option("--markdown", "style", flag_value="md", hidden=True, help="As --format md.")
@click.option("--json", "style", flag_value="json", hidden=True, help="As --format json.")
@elsewhere_option
@click.pass_context
def command(
    ctx: click.Context,
    sources: tuple[Path, ...],
    style: str | None,
    out: Path | None,
    fail_if: str | None,
    devices: tuple[str, ...],
) -> None:
    """Show a recorded run again, or two of them beside each other: before, after.

    RUN is a run directory, its name under profiles/, or a diagnosis.json from anywhere. The page is
    one HTML file that loads nothing; without --out it goes to reports/, and text to stdout.

    Of two runs it says whether a step takes longer, with the certainty that the recorded steps allow,
    which lines wait more or less, and which findings are gone or new. With --fail-if the exit code is 3
    where a limit is reached, or cannot be judged.

    \b
    Examples:
      perfkit report ctr-found
      perfkit report ctr-found --format md
      perfkit report profiles/before profiles/after
      perfkit report before after --fail-if slower=5%,syncs=+1
    """
    if out is not None and out.is_dir():
        raise PerfkitError(f"{out} is a folder", f"name a file: --out {out / 'report.html'}")
    if len(sources) > 2 or (len(sources) == 1 and fail_if is not None):
        raise click.UsageError("name one run, or two to compare (--fail-if takes two)")
    if len(sources) == 2:
        if devices:
            raise click.UsageError("--for predicts one run")
        from perfkit.cli._before_after import before_after

        before, after = (read(named_run(source)) for source in sources)
        ctx.exit(before_after(before, after, style, out, fail_if))
    source = named_run(sources[0])
    diagnosis = read(source)
    if devices:
        from perfkit.cli._other_device import named, recorded, with_other_devices

        diagnosis = with_other_devices(diagnosis, recorded(source), named(devices))
    _show(diagnosis, style, out)


def _show(diagnosis: Diagnosis, style: str | None, out: Path | None) -> None:
    page = out or Path("reports") / f"{file_name(diagnosis.run)}.html"
    if style is None:
        _page(diagnosis, page)
    elif style == "html":
        from perfkit.report.html import render as render_html

        write_text(page, render_html(diagnosis))
        click.echo(str(page))
    else:
        _write(_text(diagnosis, style), out)


def _text(diagnosis: Diagnosis, style: str) -> str:
    if style == "json":
        return json.dumps(diagnosis.to_json(), indent=1) + "\n"
    if style == "md":
        from perfkit.report.markdown import render as render_markdown

        return render_markdown(diagnosis)
    if style == "sarif":
        from perfkit.cli._sarif import sarif_text

        return sarif_text(diagnosis)
    if style == "github":
        from perfkit.integrations.github import annotated, write_summary

        write_summary(diagnosis)
        return annotated(diagnosis)
    from rich.console import Console

    from perfkit.report import terminal

    console = Console()
    with console.capture() as written:
        terminal.render(diagnosis, console)
    return written.get()


def read(source: Path) -> Diagnosis:
    """The diagnosis of a run directory (made now where there is none yet) or file.

    Raises:
        PerfkitError: there is nothing at `source`, or it is not a diagnosis.
    """
    if source.is_dir():
        if not (source / "diagnosis.json").exists():
            return _judged(source)
        source = source / "diagnosis.json"
    try:
        data = json.loads(source.read_bytes())
    except OSError as error:
        raise PerfkitError(
            f"cannot read {source}: {error.strerror}",
            "name a run directory under profiles/, or a diagnosis.json",
        ) from error
    except (ValueError, RecursionError) as error:
        raise PerfkitError(
            f"{source} is not JSON: {error}", "name a run directory, or a diagnosis.json"
        ) from error
    return Diagnosis.from_json(data)


def file_name(run: str) -> str:
    """A run's name as a file name: a diagnosis from elsewhere may not choose where we write."""
    name = re.sub(r"[^\w.+-]+", "-", run)[:80].strip(".-")
    return name or "run"


def _judged(directory: Path) -> Diagnosis:
    from perfkit.cli._conclude import judged
    from perfkit.io.launch import rank_folders
    from perfkit.io.rundir import load

    if rank_folders(directory) and not (directory / "run.json").exists():
        from perfkit.cli._rank_runs import joined

        return joined(directory)
    return judged(load(directory))


def _page(diagnosis: Diagnosis, out: Path) -> None:
    from rich.console import Console

    from perfkit.report import html, terminal

    write_text(out, html.render(diagnosis))
    terminal.render(diagnosis, Console(), out)
    if "other_device" in diagnosis.tables:
        from perfkit.cli._other_device import show

        show(diagnosis.tables["other_device"])


def _write(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)
