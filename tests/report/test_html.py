"""The page as text: what it may contain, and what it must not."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from perfkit.model.run import Run
from perfkit.report.blocks import Block, Cell, Grid, Head, Text
from perfkit.report.html import page, render
from perfkit.rules import _engine, diagnose
from tests.draw import draw, item
from tests.sample_runs import ctr_run, hostile_run


class _Page(HTMLParser):
    """Tags, ids, executed scripts and data blocks of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.library: list[str] = []
        self.data: list[str] = []
        self._inside: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            kinds = {"module": self.scripts, "text/plain": self.library}
            self._inside = kinds.get(dict(attrs).get("type") or "", self.data)
            self._inside.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is not None:
            self._inside[-1] += data


def _page(run: Run) -> tuple[str, _Page]:
    text = render(diagnose(run, _engine.outcome))
    return text, _Page(text)


def test_a_page_without_a_chart_carries_no_library_and_stays_small() -> None:
    text, page = _page(Run("empty"))
    assert not any(a.get("id") == "plotly" for _, a in page.tags)
    assert len(text) < 60_000


def test_plotly_is_inlined_once_compressed_and_every_script_is_allowed_by_its_hash() -> None:
    text, page = _page(ctr_run())
    (packed,) = page.library
    library = gzip.decompress(base64.b64decode(packed)).decode()
    assert library.lstrip().startswith("/**\n* plotly.js")
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv"))
    assert policy is not None
    assert policy.count("'sha256-") == len(page.scripts) + 1
    for script in (*page.scripts, library):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    assert policy.startswith("default-src 'none';")
    assert re.search(r"One file, 2\.\d+ MiB", text)


@pytest.mark.parametrize("run", [ctr_run(), hostile_run()], ids=["ctr", "hostile"])
def test_nothing_is_loaded_from_anywhere_and_no_handler_is_attached(run: Run) -> None:
    _, page = _page(run)
    for tag, attributes in page.tags:
        assert tag not in ("img", "iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src") is None
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))


def test_every_link_has_its_target_and_no_id_is_used_twice() -> None:
    _, page = _page(ctr_run())
    ids = [a["id"] for _, a in page.tags if "id" in a]
    links = {(a.get("href") or "")[1:] for tag, a in page.tags if tag == "a"}
    assert links <= set(ids)
    assert len(ids) == len(set(ids))


def test_hostile_names_add_no_tag() -> None:
    allowed = {tag for tag, _ in _page(ctr_run())[1].tags}
    text, page = _page(hostile_run())
    assert {tag for tag, _ in page.tags} <= allowed
    assert "{{7*7}}" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    text.encode("utf-8")


def test_ten_thousand_character_names_do_not_fill_the_page() -> None:
    assert "x" * 2_100 not in _page(hostile_run())[0]


def test_chart_data_is_json_that_cannot_close_its_element() -> None:
    _, page = _page(ctr_run())
    assert not any("<" in block for block in page.data)
    (steps,) = [d for d in map(json.loads, page.data) if isinstance(d, dict)]
    assert {series["name"] for series in steps["spec"]["data"]} == {
        "warm-up", "clock only", "traced", "deep, every detector on",
    }  # fmt: skip


def test_rows_beyond_two_hundred_wait_as_data() -> None:
    rows = tuple((Cell(f"</script><b>{number}"),) for number in range(350))
    block = Block("x", "X", (Grid((Head("Name"),), rows, more=7),))
    text = page([Block("verdict", "V", (Text("t"),)), block], "run", "cpu")
    read = _Page(text)
    assert sum(tag == "tr" for tag, _ in read.tags) == 201
    (rest,) = read.data
    assert json.loads(rest)[0] == [["</script><b>200"]]
    assert "<b>200" not in text
    assert "7 more in diagnosis.json" in text


def test_links_to_what_is_not_on_the_page_stay_text() -> None:
    grid = Grid((Head("Name"),), ((Cell("here", "verdict"),), (Cell("gone", "finding-99"),)))
    text = page([Block("verdict", "V", (grid,))], "run", "cpu")
    assert 'href="#verdict"><bdi>here' in text
    assert "finding-99" not in text


def test_hundreds_of_places_are_capped_and_counted() -> None:
    syncs = tuple(item(line=number, step=0) for number in range(1, 401))
    text, page = _page(draw("step  dddd", syncs=syncs))
    assert sum(1 for _, a in page.tags if a.get("class") == "card") == 25
    assert "395 more below" in text
    assert "375 more are in the table below" in text
    assert "300 more in diagnosis.json" in text


def test_unreadable_source_is_said_and_not_left_blank() -> None:
    text, _ = _page(draw("step  dddd\nsync  i...", i=item("/gone/model.py")))
    assert "The source of this line was not recorded." in text


def test_none_is_never_shown() -> None:
    for run in (ctr_run(), Run("empty"), draw("step  dddd\nsync  i...", i=item(stack=()))):
        text, _ = _page(run)
        body = re.sub(r"<code>.*?</code>", "", text.split("<body>")[1].split("<script")[0])
        assert not re.search(r">\s*None\s*<", body)


def test_the_footer_says_where_to_read_on() -> None:
    footer = page([], "run", "cpu").rpartition("<footer>")[2]
    assert "<code>perfkit docs</code>" in footer
    assert "<code>perfkit explain RULE</code>" in footer
