"""What every command takes, read from the commands themselves: for `perfkit docs`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence

import click

from perfkit.report.reference import Command, Option

_KEPT = "\b\n"
"""What click takes for: leave the lines of this paragraph as they are."""

_CODE = re.compile(r"  (\d+) +(\S.*)")


def described(group: click.Group) -> list[Command]:
    """Every command of a group, with those inside of groups under their whole names."""
    return list(_each(group, click.Context(group, info_name="perfkit")))


def exit_codes(group: click.Group) -> list[tuple[str, str]]:
    """The codes that `--help` of the whole program ends with, and what each means."""
    return [(code, meaning) for code, meaning in _CODE.findall(group.epilog or "")]


def markdown(commands: Sequence[Command], codes: Sequence[tuple[str, str]]) -> str:
    """The commands as one Markdown file."""
    lines = [
        "# Commands",
        "",
        "Written by `perfkit docs --commands` from the commands themselves; a test compares.",
        "",
        "| command | what it does |",
        "| --- | --- |",
        *(f"| [`perfkit {c.name}`](#{_slug(c.name)}) | {_cell(c.title)} |" for c in commands),
    ]
    for each in commands:
        lines += ["", f"## perfkit {each.name}", "", "```", each.usage, "```", "", each.title]
        lines += _text(each.text)
        if each.options:
            lines += ["", "| option | |", "| --- | --- |"]
            lines += [f"| `{_cell(one.typed)}` | {_cell(one.help)} |" for one in each.options]
    lines += [
        "",
        "## Exit codes",
        "",
        "perfkit profile ends as the script did.",
        "",
        "| code | meaning |",
        "| --- | --- |",
    ]
    lines += [f"| {code} | {meaning} |" for code, meaning in codes]
    return "\n".join(lines) + "\n"


def _each(group: click.Group, context: click.Context) -> Iterator[Command]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inside = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from _each(command, inside)
        else:
            yield _described(command, inside)


def _described(command: click.Command, context: click.Context) -> Command:
    path = context.command_path
    text = inspect.cleandoc(command.help or "").partition("\f")[0]
    title, _, below = text.partition("\n\n")
    if command.epilog:
        below += "\n\n" + inspect.cleandoc(command.epilog)
    records = (param.get_help_record(context) for param in command.params)
    options = (Option(*record) for record in records if record is not None)
    return Command(
        path.removeprefix("perfkit "),
        " ".join([path, *command.collect_usage_pieces(context)]),
        " ".join(title.split()),
        _marked(below),
        tuple(one for one in options if one.help),
    )


def _marked(text: str) -> str:
    """Paragraphs that click leaves alone are indented twice, below a heading where they have one."""
    return "\n\n".join(
        _indented(block[len(_KEPT) :].splitlines()) if block.startswith(_KEPT) else block
        for block in re.split(r"\n\s*\n", text.strip())
    )


def _indented(lines: list[str]) -> str:
    head = [lines.pop(0)[:-1]] if lines[0].endswith(":") and len(lines) > 1 else []
    return "\n".join([*head, *(f"        {line.strip()}" for line in lines)])


def _text(text: str) -> Iterator[str]:
    """The paragraphs of a command's help; what is indented is code."""
    for block in text.split("\n\n") if text else ():
        lines = block.splitlines()
        kept = [line.strip() for line in lines if line.startswith("        ")]
        running = [line for line in lines if not line.startswith("        ")]
        if running:
            yield ""
            yield f"{' '.join(running)}:" if kept else " ".join(running)
        if kept:
            yield from ("", "```", *kept, "```")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _slug(name: str) -> str:
    return f"perfkit-{name.replace(' ', '-')}"
