"""perfkit compare: two functions on captured inputs - do they do the same, and which is faster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfkit.base.errors import PerfkitError

if TYPE_CHECKING:
    from perfkit.cli._two_functions import Compared

SCHEMA = "perfkit.compare/1"


@click.command()
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@click.option(
    "--inputs",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    required=True,
    help="Files that profile --capture-inputs wrote, or a folder of them; may be given again.",
)
@click.option("--tolerance", type=click.FloatRange(0), help="Relative; otherwise by the dtype.")
@click.option(
    "--strict", is_flag=True, help="Other strides or other use of random numbers fail too."
)
@click.option(
    "--device", default="auto", help="Where what lay on a device goes: auto, cpu or cuda."
)
@click.option(
    "--rounds", type=click.IntRange(0), default=31, show_default=True, help="0: no times."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of all random generators.")
@click.option("--import", "imports", multiple=True, metavar="MODULE", help="Import it before.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the rows there.")
@click.pass_context
def command(ctx: click.Context, /, before: str, after: str, **given: Any) -> None:
    """Run BEFORE and AFTER, given as module:function or file.py:function, on captured inputs.

    HEAD:file.py:function is the function as it stands in that commit of git. Compared are values,
    gradients, changes of the arguments, dtype, device and strides of the results, and the use of random
    numbers. A method gets the captured module as `self`; a function with a parameter named `state` gets
    its parameters and buffers. The file is imported, so its top level runs. Exit code 3 when they differ,
    or when a call that ran gave nothing to compare, such as an error from both.

    \b
    Examples:
      perfkit compare HEAD:model.py:loss model.py:loss --inputs RUN/captured
    """
    from perfkit.base.files import write_text
    from perfkit.cli._two_functions import Asked, compare_files

    asked = Asked(
        tolerance=given["tolerance"],
        device=given["device"],
        rounds=given["rounds"],
        seed=given["seed"],
        imports=given["imports"],
    )
    rows = compare_files(before, after, captured_files(given["inputs"]), asked)
    for row in rows:
        show(row, given["strict"])
    if given["json_file"]:
        document = {"schema": SCHEMA, "rows": [row.to_json(given["strict"]) for row in rows]}
        write_text(given["json_file"], json.dumps(document, indent=1) + "\n")
    if all(row.behaviour is None for row in rows):
        raise PerfkitError(
            "none of these calls can be replayed, so nothing was compared",
            "capture a function that takes tensors and plain values: --capture-inputs module:function",
        )
    ran = [row for row in rows if row.behaviour is not None]
    if any(row.verdict(given["strict"]) == "different" or not row.proves for row in ran):
        ctx.exit(3)


def captured_files(given: tuple[Path, ...]) -> list[Path]:
    """The files named, and those in the folders named.

    Raises:
        PerfkitError: a folder holds none.
    """
    found = []
    for path in given:
        inside = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
        if not inside:
            raise PerfkitError(
                f"{path} holds no .safetensors files",
                "perfkit profile --capture-inputs NAME writes them to captured/ in the run's folder",
            )
        found += inside
    return found


def show(row: Compared, strict: bool = False) -> None:
    """One file's verdict and what it stands on."""
    click.echo(f"{row.path}: {row.verdict(strict)}")
    for line in row.lines():
        click.echo(f"  {line}")
