"""One screen, with or without colour, whatever the names are."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from perfkit.model.run import Run
from perfkit.report import terminal
from perfkit.rules import _engine, diagnose
from tests.sample_runs import ctr_run, hostile_run, lens_run

RUNS = [ctr_run(), lens_run(), hostile_run(), Run("empty")]
NAMES = ["ctr", "lens", "hostile", "empty"]


def _shown(run: Run, width: int = 80, colour: bool = False, page: Path | None = None) -> str:
    out = io.StringIO()
    terminal.render(
        diagnose(run, _engine.outcome),
        Console(
            file=out, width=width, force_terminal=colour, color_system="256" if colour else None
        ),
        page,
    )
    return out.getvalue()


@pytest.mark.parametrize("run", RUNS, ids=NAMES)
def test_it_fits_a_screen_of_80_by_24_with_room_for_the_prompt(run: Run) -> None:
    lines = _shown(run, page=Path("reports/page.html")).splitlines()
    assert len(lines) <= 22
    assert max(len(line) for line in lines) <= 80
    assert not any(line != line.rstrip() for line in lines)


@pytest.mark.parametrize("run", RUNS, ids=NAMES)
@pytest.mark.parametrize("width", [40, 60, 200])
def test_other_widths_neither_crash_nor_print_none(run: Run, width: int) -> None:
    text = _shown(run, width)
    assert "None" not in text


def test_colour_changes_no_word() -> None:
    plain, coloured = _shown(ctr_run()), _shown(ctr_run(), colour=True)
    assert "\x1b[" in coloured
    assert Console(file=io.StringIO()).render_str(plain).plain.split() == _decoded(coloured).split()


def test_no_name_reaches_the_terminal_as_a_control_sequence() -> None:
    assert "\x1b" not in _shown(hostile_run())
    assert "\u202e" not in _shown(hostile_run())


def test_markup_in_names_is_text() -> None:
    run = Run("[bold red]name[/bold red]", ended="[link=x]ended")
    assert "[bold red]name[/bold red]" in _shown(run)
    assert "[link=x]ended" in _shown(run)


@pytest.mark.parametrize(("run", "name"), list(zip(RUNS, NAMES, strict=True)), ids=NAMES)
def test_golden(run: Run, name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"terminal_{name}.txt", _shown(run, page=Path("reports/page.html")))


def _decoded(text: str) -> str:
    from rich.text import Text

    return Text.from_ansi(text).plain
