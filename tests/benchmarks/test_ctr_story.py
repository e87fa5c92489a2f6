"""The story's arithmetic; the story itself takes a minute and is run by hand."""

from rich.console import Console

from benchmarks import ctr_story as story
from perfkit.workloads._settings import with_settings
from perfkit.workloads.ctr.config import CONFIGS, FAST


def diagnosis(launches: dict) -> dict:
    points = {
        "columns": [{"name": name} for name in ("kind", "direction", "per_step")],
        "rows": [["item", "d2h", 64.0], ["d2h", "d2h", 1.0], ["h2d", "h2d", 56.0]],
    }
    return {"tables": {"sync_points": points}, "facts": launches}


def test_waits_and_copies_of_a_step_are_told_apart():
    counted = story.per_step(diagnosis({"launches per step": "1,224"}))
    assert counted == {"syncs": 64.0, "copies": 57.0, "launches": 1224.0}


def test_launches_that_were_not_counted_are_unknown():
    assert story.per_step(diagnosis({}))["launches"] is None


def test_the_chapters_end_with_every_exact_fast_option():
    settings = {name: value for _, change in story.CHAPTERS for name, value in change.items()}
    assert with_settings(CONFIGS["laptop"], settings) == CONFIGS["fast"]
    assert settings.keys() == FAST.keys()


def test_the_table_says_what_is_unknown_and_fits_a_terminal(capsys):
    chapter = story.Chapter("as found", {}, "a", "b", "c", 133, 62, None, 1.2, 0.0, None, None)
    Console(width=80).print(story.table([chapter]))
    out = capsys.readouterr().out
    assert "…" not in out and "1.0x" in out and out.count("?") == 3
