"""`perfkit report`: show again what was concluded from a run, on any machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from perfkit.base.errors import PerfkitError
from perfkit.base.files import write_text
from perfkit.cli._options import elsewhere_option
from perfkit.model.diagnosis import Diagnosis


@click.command()
@click.argument("source", metavar="RUN_OR_DIAGNOSIS", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Where the page or text goes."
)
@click.option(
    "--markdown", is_flag=True, help="Markdown instead of a page; on stdout without --out."
)
@click.option("--json", "as_json", is_flag=True, help="The diagnosis itself as JSON, on stdout.")
@elsewhere_option
def command(
    source: Path, out: Path | None, markdown: bool, as_json: bool, devices: tuple[str, ...]
) -> None:
    """Write the page of a recorded run, and show its verdict.

    RUN_OR_DIAGNOSIS is a run directory, or a diagnosis.json from anywhere. The page is one HTML
    file that loads nothing; without --out it goes to reports/.
    """
    if out is not None and out.is_dir():
        raise PerfkitError(f"{out} is a folder", f"name a file: --out {out / 'report.html'}")
    if markdown and as_json:
        raise click.UsageError("--markdown and --json exclude each other")
    diagnosis = read(source)
    if devices:
        from perfkit.cli._other_device import named, recorded, with_other_devices

        diagnosis = with_other_devices(diagnosis, recorded(source), named(devices))
    if as_json:
        _write(json.dumps(diagnosis.to_json(), indent=1) + "\n", out)
    elif markdown:
        from perfkit.report.markdown import render

        _write(render(diagnosis), out)
    else:
        _page(diagnosis, out or Path("reports") / f"{file_name(diagnosis.run)}.html")


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
