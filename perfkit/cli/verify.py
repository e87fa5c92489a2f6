"""perfkit verify: prove and measure a rewrite on this machine, on its cases or your own inputs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfkit.base.errors import PerfkitError

if TYPE_CHECKING:
    from perfkit.rewrites._measure import Asked, Row
    from perfkit.rewrites._rewrite import Form, Inputs, Rewrite

SCHEMA = "perfkit.verify/1"


@click.command()
@click.argument("rewrite_id", metavar="ID")
@click.option(
    "--inputs",
    type=click.Path(path_type=Path, exists=True),
    help="Your own: by torch.save of a tuple or dictionary of arguments (see the rewrite's page), a "
    ".py with a function inputs() that returns them, or what profile --capture-inputs kept, a file or a "
    "folder of them.",
)
@click.option("--case", "case_name", help="Only this case; otherwise all that are measured.")
@click.option("--form", "form_names", multiple=True, help="Only this form; may be given again.")
@click.option(
    "--dtype",
    help="In which all run; float32, or that of your inputs. They are proven against float64.",
)
@click.option("--device", default="auto", help="auto, cpu or cuda.")
@click.option("--backward/--forward", default=True, help="Time and count the gradient as well.")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Rounds of measuring each form, at least; more where they are short.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the cases' inputs.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the rows there.")
@click.pass_context
def command(ctx: click.Context, /, rewrite_id: str, json_file: Path | None, **given: Any) -> None:
    """Prove that a rewrite equals the code it replaces, and measure what it gains here.

    Exit code 3 when a proof or a quality gate does not hold.

    \b
    Examples:
      perfkit verify moe_dispatch
      perfkit verify moe_dispatch --inputs profiles/a/captured
    """
    from rich.console import Console

    from perfkit.base.files import write_text
    from perfkit.cli._verify_table import show, show_conditions
    from perfkit.rewrites._rewrite import rewrite

    declared = rewrite(rewrite_id)
    forms = _forms(declared, given["form_names"])
    console = Console(highlight=False)
    rows: list[Row] = []
    for inputs, asked, shape in _asked(declared, given):
        from perfkit.rewrites._measure import measure

        found = measure(rewrite_id, declared, forms, inputs, asked)
        if not rows:
            show_conditions(console, found, asked)
        rows += found
        show(console, found, asked, shape)
    if json_file:
        document = {"schema": SCHEMA, "rows": [row.to_json() for row in rows]}
        write_text(json_file, json.dumps(document, indent=1))
    broken = [row for row in rows if row.holds is False]
    for row in broken:
        reason = row.raised or (row.parity.reason if row.parity else row.quality)
        click.echo(f"{row.rewrite} / {row.form} does not hold on {row.case}: {reason}", err=True)
    if broken:
        ctx.exit(3)


def _forms(declared: Rewrite, names: tuple[str, ...]) -> list[Form]:
    return [declared.form(name) for name in names] if names else list(declared.forms)


def _asked(declared: Rewrite, given: dict[str, Any]) -> Iterator[tuple[Inputs, Asked, str]]:
    """Inputs, what to do with them, and what they are like in words."""
    import torch

    from perfkit.cli._device import device_name
    from perfkit.rewrites._measure import DTYPES, Asked

    if given["dtype"] not in (None, *DTYPES):
        raise PerfkitError(
            f"{given['dtype']!r} is no dtype here", f"there are: {', '.join(DTYPES)}"
        )
    asked = Asked(
        case="your inputs",
        against=declared.reference,
        backward=given["backward"],
        rounds=given["rounds"],
        dtype=DTYPES[given["dtype"] or "float32"],
        device=torch.device(device_name(given["device"])),
        try_first=given["dtype"] is not None,
    )
    if given["inputs"] is not None:
        for path in _files(given["inputs"]):
            yield _own(path, declared, given["dtype"], asked)
        return
    wanted = given["case_name"]
    cases = [declared.case(wanted)] if wanted else [c for c in declared.cases if c.measured]
    for case in cases:
        yield (
            case.make(given["seed"]),
            replace(asked, case=case.name, stays_on_host=case.stays_on_host),
            case.shape,
        )


def _files(given: Path) -> list[Path]:
    if not given.is_dir():
        return [given]
    from perfkit.cli.compare import captured_files

    return captured_files((given,))


def _own(
    path: Path, declared: Rewrite, dtype: str | None, asked: Asked
) -> tuple[Inputs, Asked, str]:
    from perfkit.cli._captured import captured
    from perfkit.rewrites._measure import DTYPES
    from perfkit.rewrites._tree import tensors

    inputs = captured(path, declared)
    floating = [one.dtype for one in tensors(inputs) if one.is_floating_point()]
    own = floating[0] if dtype is None and floating else asked.dtype
    return (
        inputs,
        replace(
            asked,
            dtype=own if own in DTYPES.values() else asked.dtype,
            stays_on_host=declared.cases[0].stays_on_host,
            try_first=True,
        ),
        str(path),
    )
