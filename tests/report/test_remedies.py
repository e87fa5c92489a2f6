"""What a page, a text and a terminal say about acting on a finding."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from perfkit.model.diagnosis import Diagnosis, Remedy, Saving
from perfkit.remedies import with_remedies
from perfkit.remedies.sources import unknown
from perfkit.report import html, markdown, terminal
from perfkit.report._findings import ranked
from perfkit.report._remedies import help_for, next_commands
from tests.remedies.program import GUARD, SOURCE, diagnosis, finding

FOLDER = Path("/home/ada/project")
ADVICE = "Drop the test"
ATTACK = "</code><script>document.title='owned'</script>{{7*7}}\x1b[31m\u202e"


def _diagnosis(why: str = "") -> Diagnosis:
    one = finding(FOLDER / "train.py", GUARD, "item", fix=ADVICE, saving=Saving(1, 2, 3, "counted"))
    base = diagnosis(one)
    base = replace(base, verdict=replace(base.verdict, next=f"train.py:9: {ADVICE}."))
    return with_remedies(base, unknown(why) if why else lambda name: SOURCE.encode(), FOLDER)


def _with(remedy: Remedy | None) -> Diagnosis:
    base = _diagnosis()
    (outcome,) = base.outcomes
    found = tuple(replace(one, remedy=remedy) for one in outcome.findings)
    return replace(base, outcomes=(replace(outcome, findings=found),))


def _terminal(shown: Diagnosis, width: int = 80) -> list[str]:
    out = io.StringIO()
    terminal.render(shown, Console(file=out, width=width))
    return out.getvalue().splitlines()


def test_a_finding_without_a_remedy_has_no_help() -> None:
    bare = _with(None)
    assert help_for(bare.outcomes[0].findings[0], bare) is None
    assert "perfkit fix" not in html.render(bare) + "\n".join(_terminal(bare))


def test_a_finding_whose_diff_was_not_made_says_why_and_names_no_command() -> None:
    shown = _diagnosis("the file was changed after the run began")
    page = html.render(shown)
    assert "No diff was made: the file was changed after the run began." in page
    assert "perfkit fix" not in page


@pytest.mark.parametrize("change", [{"apply": ("perfkit fix --run r x.py:3",)}, {"apply": ()}])
def test_a_number_that_only_a_run_showed_is_not_the_next_step(change: dict[str, object]) -> None:
    remedy = _diagnosis().outcomes[0].findings[0].remedy
    assert remedy is not None
    shown = _with(replace(remedy, **change))  # type: ignore[arg-type]
    assert next_commands(ranked(shown), shown) == ()


def test_the_page_holds_diff_commands_and_pages() -> None:
    page = html.render(_diagnosis())
    for text in (
        "Diff by any_guard (safe), for patch -p1 in /home/ada/project",
        '<div class="line removed"><code><bdi>-        if bad.any():</bdi>',
        "perfkit fix --write --select any_guard train.py:9",
        "When not to act",
        "The page of the fix any_guard",
        "The test makes the host wait for the device, to save a write of nothing.",
    ):
        assert text in page, text


def test_the_diff_on_the_page_is_the_diff() -> None:
    shown = _diagnosis()
    found = shown.outcomes[0].findings[0]
    told = help_for(found, shown)
    assert told is not None and found.remedy is not None
    assert "\n".join(told.diff) + "\n" == found.remedy.diff


def test_commands_come_in_the_order_in_which_they_are_given() -> None:
    shown = _diagnosis()
    told = help_for(shown.outcomes[0].findings[0], shown)
    assert told is not None
    labels = [one.label for one in told.commands]
    assert labels == ["Capture inputs", "Prove it on them", "Apply", "Measure again"]


@pytest.mark.parametrize("width", [80, 200])
def test_the_terminal_shows_the_command_whole_under_next(width: int) -> None:
    lines = _terminal(_diagnosis(), width)
    at = lines.index(f"{'':11}perfkit fix --write --select any_guard train.py:9")
    assert ADVICE in lines[at - 1]


def test_markdown_names_the_commands() -> None:
    text = markdown.render(_diagnosis())
    assert "Apply: `perfkit fix --write --select any_guard train.py:9`" in text
    assert "- Prove it on them: `perfkit fix --verify profiles/mine-inputs" in text


def test_hostile_remedies_stay_text() -> None:
    names = ("diff", "root", "no_diff", "folder", "wins", "not_when")
    lists = ("fixes", "check", "by_hand", "apply", "verify", "pages")
    hostile = Remedy(
        **dict.fromkeys(names, f"+{ATTACK}\n"),  # type: ignore[arg-type]
        **dict.fromkeys(lists, (ATTACK, f"perfkit fix {ATTACK}")),  # type: ignore[arg-type]
    )
    shown = _with(hostile)
    page = html.render(shown)
    assert "<script>document" not in page and "\x1b" not in page and "\u202e" not in page
    assert "{{7*7}}" in page
    assert "\x1b[31m" not in "\n".join(_terminal(shown)) + markdown.render(shown)
