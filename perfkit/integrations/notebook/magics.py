"""`%%perfkit` measures a cell, `%perfkit_line` a statement."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from types import CodeType
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring
from IPython.display import display

from perfkit.base.errors import PerfkitError
from perfkit.capture import instrument
from perfkit.integrations.notebook import attach
from perfkit.integrations.notebook.cells import name_cells, running_cell
from perfkit.integrations.notebook.display import Conclusion

_REPEATS = 30
"""Enough for every instrument and a steady median; the first few are warm-up."""
_DEVICES = ["auto", "cuda", "pretend-cuda", "cpu"]
_SPLIT = re.compile(r"\s*((?:--?[\w-]+(?:=\S+|\s+\S+)\s*)*)(.*)", re.DOTALL)
"""Options, then a statement with its own quotes, which splitting into words would eat."""
_OPTIONS = (
    argument("--device", choices=_DEVICES, default="auto", help="How synchronisations are found."),
    argument("--steps", type=int, help="Measure N steps in all."),
    argument("--warmup", type=int, help="Exactly N warm-up steps."),
    argument("--name", default="cell", help="Of the run, and of its folder under profiles/."),
    argument("--report", metavar="FILE", help="Write the page there, too."),
    argument(
        "--as", dest="variable", metavar="P", help="Variable for the profile: P.step(), P.run."
    ),
)


def load(shell: Any, profile: Callable[..., Any]) -> None:
    """Register the magics and the displays.

    Args:
        profile: `perfkit.profile`.
    """
    attach()
    shell.register_magics(PerfkitMagics(shell, profile))


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return magic_arguments()(command)


@magics_class
class PerfkitMagics(Magics):
    """The magics; `profile` is `perfkit.profile`."""

    def __init__(self, shell: Any, profile: Callable[..., Any]) -> None:
        super().__init__(shell)
        self._profile = profile

    @no_var_expand
    @cell_magic
    @_options
    @argument("--repeat", type=int, metavar="N", help="Run the cell N times, each time one step.")
    def perfkit(self, line: str, cell: str) -> None:
        """Run the cell and say what its steps wait for.

        Steps are found by themselves (optimizer.step, DataLoader batches, the outermost module's
        forward), or end where the cell calls perfkit.step().
        """
        asked = parse_argstring(self.perfkit, line)
        self._measure(asked, self._compiled("\n", cell, shows=not asked.repeat))

    @no_var_expand
    @line_magic
    @_options
    @argument("--repeat", type=int, metavar="N", default=_REPEATS, help="How often it is run.")
    def perfkit_line(self, line: str) -> None:
        """Run the statement behind the options many times, each time one step, and say what it waits for."""
        options, statement = _SPLIT.fullmatch(line).groups()  # type: ignore[union-attr]
        asked = parse_argstring(self.perfkit_line, options)
        if not statement.strip():
            raise UsageError("name a statement: %perfkit_line model(batch)")
        self._measure(asked, self._compiled("", statement, shows=False))

    def _compiled(self, above: str, raw: str, shows: bool) -> list[CodeType]:
        """The code; where it `shows` its last expression, that one apart.

        Args:
            above: what stands above it in the cell, so that lines count as there.
        """
        text = above + self.shell.transform_cell(raw)
        file = self.shell.compile.cache(text, running_cell(self.shell), raw_code=raw)
        name_cells(self.shell)
        tree = self.shell.transform_ast(self.shell.compile.ast_parse(text, file))
        ends = shows and tree.body and isinstance(tree.body[-1], ast.Expr)
        last = tree.body[-1:] if ends else []
        first = ast.Module(tree.body[: len(tree.body) - len(last)], [])
        return [
            self.shell.compile(first, file, "exec"),
            *(self.shell.compile(ast.Interactive([node]), file, "single") for node in last),
        ]

    def _measure(self, asked: Any, codes: list[CodeType]) -> None:
        progress = attach()
        options = {"device": asked.device, "steps": asked.steps, "warmup": asked.warmup}
        try:
            measured = self._profile(asked.name, report=asked.report, progress=progress, **options)
            if asked.variable:
                self.shell.user_ns[asked.variable] = measured
            with measured:
                self._run(codes, asked.repeat)
        except PerfkitError as error:
            raise UsageError(str(error)) from error
        shown = Conclusion(measured.diagnosis, measured.run)
        if progress is None:
            display(shown)
        else:
            progress.becomes(shown)

    def _run(self, codes: list[CodeType], repeat: int | None) -> None:
        if repeat:
            instrument.step()  # the first begins here
        for _ in range(repeat or 1):
            for code in codes:
                exec(code, self.shell.user_ns)
            if repeat:
                instrument.step()
