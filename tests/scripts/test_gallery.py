"""The committed gallery is what profiles/ gives today."""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path

import pytest

from perfkit.report.blocks import Block, Figure, Switch, Text, View
from scripts.gallery import PAGES, ROOT, told, without_charts

REPORTS = ROOT / "reports"
PICTURE = REPORTS / "ctr-found.png"
CHART = Figure("chart", {"data": [], "layout": {}}, "three steps of 1 ms")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_the_runs_give_today(name: str, request: pytest.FixtureRequest) -> None:
    made = PAGES[name]()
    if request.config.getoption("--update-goldens"):
        (REPORTS / name).write_text(made, encoding="utf-8")
    committed = (REPORTS / name).read_text(encoding="utf-8")
    pairs = zip_longest(told(committed).splitlines(), told(made).splitlines(), fillvalue="")
    other = next((pair for pair in pairs if pair[0] != pair[1]), None)
    assert other is None, "make gallery writes the pages anew"


def test_what_only_decides_how_a_page_looks_is_not_compared() -> None:
    page = '<style>a</style><p>x</p><script type="module">b</script>One file, 3 KiB, nothing'
    other = '<style>c\n</style><p>x</p><script type="module"></script>One file, 9 MiB, nothing'
    assert told(page) == told(other)
    assert told(page) != told(page.replace("<p>x", "<p>y"))


def test_a_chart_is_told_in_words_also_inside_of_views() -> None:
    (block,) = without_charts([Block("b", "B", (CHART, Switch("s", (View("v", (CHART,)),))))])
    word = Text("The chart that stands here in a page of your own, in words: three steps of 1 ms.")
    assert block.parts == (word, Switch("s", (View("v", (word,)),)))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_small_and_tells_nothing_of_the_machine(name: str) -> None:
    text = (REPORTS / name).read_text(encoding="utf-8")
    assert len(text) < 400_000
    assert re.search(r"(?<![\w.])/(?:home|root|work|tmp|usr|opt|Users|mnt)/", text) is None


def test_the_picture_is_a_png_of_one_screen_that_a_readme_can_carry() -> None:
    data = PICTURE.read_bytes()
    assert data.startswith(b"\x89PNG") and len(data) < 200_000
    assert (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")) == (1280, 800)


def test_the_readme_of_the_gallery_names_each_and_links_to_what_there_is() -> None:
    text = (REPORTS / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert {*PAGES, PICTURE.name} <= set(links)
    for link in links:
        assert (REPORTS / link).exists(), link


def test_git_keeps_what_is_committed_here() -> None:
    kept = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {f"!/reports/{name}" for name in (*PAGES, PICTURE.name, "README.md")} <= set(kept)
    assert Path(REPORTS / "README.md").exists()
