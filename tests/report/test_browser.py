"""The page in a real browser: it opens offline, draws, and lets nothing hostile run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from perfkit.model.costs import OpCost
from perfkit.model.run import Run
from perfkit.report.blocks import Block, Cell, Grid, Head, Hero, Text, Tile
from perfkit.report.html import page as page_of
from perfkit.report.html import render
from perfkit.rules import _engine, diagnose
from tests.sample_runs import ctr_run, hostile_run, lens_run

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Opened:
    """A page in the browser and what it did while it opened."""

    page: sync_api.Page
    address: str
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    failed: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def _open(browser: sync_api.Browser, run: Run, folder: Path, **context: object) -> Opened:
    return _opened(browser, render(diagnose(run, _engine.outcome)), folder, **context)


def _opened(
    browser: sync_api.Browser, text: str, folder: Path, anchor: str = "", **context: object
) -> Opened:
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    # Smooth scrolling would make every look at a position a wait.
    page = browser.new_context(reduced_motion="reduce", **context).new_page()
    page.set_default_timeout(20_000)
    opened = Opened(page, file.as_uri() + anchor)
    page.on("console", lambda message: opened.console.append(message.text))
    page.on("pageerror", lambda error: opened.console.append(str(error)))
    page.on("request", lambda request: opened.requests.append(request.url))
    page.on("requestfailed", lambda request: opened.failed.append((request.url, request.failure)))
    page.goto(opened.address)
    return opened


def _assert_quiet(opened: Opened) -> None:
    assert opened.console == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [
        opened.address.partition("#")[0]
    ]


def _drawn(opened: Opened, chart: str) -> sync_api.Locator:
    """The chart, scrolled to, when it has been drawn."""
    found = opened.page.locator(f"#{chart}")
    found.scroll_into_view_if_needed()
    found.locator(".main-svg").first.wait_for()
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_offline_draws_and_fits(
    browser: sync_api.Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    size = {"width": width, "height": 800}
    opened = _open(browser, ctr_run(), tmp_path, viewport=size, color_scheme=scheme, offline=True)
    assert _drawn(opened, "chart-steps-host").locator(".points path").count() == 12
    _assert_quiet(opened)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    shot = tmp_path / "page.png"
    opened.page.screenshot(path=shot, full_page=True)
    assert shot.stat().st_size > 20_000


def test_the_first_screen_says_which_line_how_much_what_instead(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    opened = _open(browser, ctr_run(), tmp_path, viewport={"width": 1280, "height": 800})
    for text in ("411 ms on this CPU", "model.py:18", "8.32 ms", "Sort the tokens by expert"):
        box = opened.page.locator("#verdict").get_by_text(text).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 800, text


def test_hostile_names_stay_text(browser: sync_api.Browser, tmp_path: Path) -> None:
    opened = _open(browser, hostile_run(), tmp_path)
    _drawn(opened, "chart-steps-host")
    _assert_quiet(opened)
    assert "perfkit" in opened.page.title()
    assert opened.page.title() != "owned"
    assert opened.page.locator("img").count() == 0
    assert opened.page.locator("script[type=module]").count() == 6
    assert opened.page.locator("body").inner_text().count("{{7*7}}") > 3
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_the_policy_is_in_force(browser: sync_api.Browser, tmp_path: Path) -> None:
    opened = _open(browser, ctr_run(), tmp_path)
    opened.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'owned'";
            document.body.append(script);
            const image = document.createElement("img");
            image.setAttribute("onerror", "document.title = 'owned'");
            image.src = "http://127.0.0.1:9/x.png";
            document.body.append(image);
        }"""
    )
    opened.page.wait_for_timeout(200)
    assert opened.page.title() != "owned"
    assert any("Content Security Policy" in message for message in opened.console)
    assert [url for url, reason in opened.failed if reason == "csp"] == ["http://127.0.0.1:9/x.png"]


def test_it_reads_without_javascript(browser: sync_api.Browser, tmp_path: Path) -> None:
    opened = _open(browser, lens_run(), tmp_path, java_script_enabled=False)
    text = opened.page.locator("body").inner_text()
    for expected in ("494", "loss.py:23", "The chart needs JavaScript", "404 ms – 408 ms"):
        assert expected in text
    for rule in opened.page.locator(".check").all():
        assert rule.is_visible()


def test_it_prints_dark_ink_on_white_whatever_the_screen_is(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    opened = _open(browser, ctr_run(), tmp_path, color_scheme="dark")
    _drawn(opened, "chart-steps-host")
    ink = "getComputedStyle(document.querySelector('h1')).color"
    assert opened.page.evaluate(ink) == "rgb(231, 232, 234)"
    opened.page.emulate_media(media="print")
    assert opened.page.evaluate(ink) == "rgb(27, 29, 33)"
    _assert_quiet(opened)


def test_links_jump_and_the_keyboard_reaches_everything(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    opened = _open(browser, ctr_run(), tmp_path)
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
    opened.page.get_by_role("link", name="model.py:18").first.click()
    assert opened.page.url.endswith("#finding-1")
    assert opened.page.locator("#finding-1").is_visible()
    table = opened.page.locator("details", has=opened.page.locator("table"))
    table.locator("summary").focus()
    opened.page.keyboard.press("Enter")
    assert table.locator("table").is_visible()


def test_the_roofline_draws_and_fits(browser: sync_api.Browser, tmp_path: Path) -> None:
    costs = tuple(
        OpCost("aten::mm", f"f32[{n},64] x f32[64,{n}]", n, 9**n, 8**n, 8**n, "matmul", "float32",
               host_ns=7**n, module="<b>M</b>")
        for n in range(4, 9)
    )  # fmt: skip
    run = replace(ctr_run(), costs=(*costs, OpCost("x::y", "", 1, unknown="odd", host_ns=9)),
                  costed_steps=1)  # fmt: skip
    opened = _open(browser, run, tmp_path, viewport={"width": 390, "height": 800}, offline=True)
    assert _drawn(opened, "chart-roofline").locator(".points path").count() >= len(costs)
    assert _drawn(opened, "chart-floor").locator(".bars path").count() > 3
    _assert_quiet(opened)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 390


def _focused(opened: Opened) -> str:
    return str(opened.page.evaluate("document.activeElement.id"))


@pytest.mark.parametrize("anchor", ["finding-2", "host-wait-in-step", "blocking-copies"])
def test_an_address_opens_its_finding_or_rule(
    browser: sync_api.Browser, tmp_path: Path, anchor: str
) -> None:
    text = render(diagnose(ctr_run(), _engine.outcome))
    opened = _opened(browser, text, tmp_path, f"#{anchor}")
    opened.page.wait_for_selector(f"#{anchor}:focus")
    box = opened.page.locator(f"#{anchor}").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 720


def test_a_rule_that_is_filtered_away_comes_back_when_it_is_addressed(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    opened = _open(browser, ctr_run(), tmp_path)
    clear = opened.page.locator(".check[data-state=clear]").first
    assert not clear.is_visible()
    opened.page.evaluate("(id) => { location.hash = id; }", clear.get_attribute("id"))
    clear.wait_for()
    assert _focused(opened) == clear.get_attribute("id")


def test_what_is_folded_away_opens_for_its_address(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    text = render(diagnose(ctr_run(), _engine.outcome)).replace(
        '<article class="card" id="finding-2"',
        '<details><summary>more</summary></details><article class="card" id="finding-2"',
    )
    folded = text.replace("<details><summary>more</summary></details>", "<details>", 1)
    end = folded.index("</article>", folded.index('id="finding-2"')) + len("</article>")
    opened = _opened(browser, folded[:end] + "</details>" + folded[end:], tmp_path, "#finding-2")
    opened.page.wait_for_selector("#finding-2:focus")
    assert opened.page.locator("#finding-2").is_visible()


def test_outcomes_are_filtered_with_the_keyboard(browser: sync_api.Browser, tmp_path: Path) -> None:
    opened = _open(browser, ctr_run(), tmp_path)
    button = opened.page.locator(".outcomes button[data-state=found]")
    rules = opened.page.locator(".check[data-state=found]")
    assert button.get_attribute("aria-pressed") == "true"
    assert rules.first.is_visible()
    button.focus()
    opened.page.keyboard.press("Space")
    assert button.get_attribute("aria-pressed") == "false"
    assert not rules.first.is_visible()
    assert "not shown" in opened.page.locator(".outcomes .none").inner_text()


NAME = "<script>document.title='owned'</script>\u202e" + "k" * 10_000


def _table(count: int = 450) -> str:
    rows = tuple(
        (Cell(f"row {n}" if n else NAME, detail=f"detail {n}"), Cell(f"{n * 7 % 450} µs"))
        for n in range(count)
    )
    heads = (Head("Name", "code"), Head("Time", "number"))
    block = Block("rows", "Rows", (Grid(heads, (*rows, (Cell("none"), Cell("–"))), first=10),))
    return page_of([Block("verdict", "V", (Text("t"),)), block], "run", "cpu")


def test_tables_sort_by_value_and_draw_the_rest_on_demand(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    opened = _opened(browser, _table(), tmp_path)
    names = opened.page.locator("#rows tbody td:first-child bdi:first-child")
    times = opened.page.locator("#rows tbody td:last-child")
    assert names.count() >= 10
    opened.page.get_by_role("button", name="Time").click()
    assert times.all_inner_texts()[:3] == ["449 µs", "448 µs", "447 µs"]
    assert opened.page.locator("th[aria-sort=descending]").inner_text().startswith("Time")
    opened.page.get_by_role("button", name="Time").click()
    assert times.all_inner_texts()[:2] == ["0 µs", "1 µs"]
    more = opened.page.get_by_role("button", name="Show 200 of 441 more")
    more.click()
    assert times.count() == 210
    opened.page.get_by_role("button", name="Show 200 of 241 more").click()
    opened.page.get_by_role("button", name="Show 41 more").click()
    assert times.all_inner_texts()[-1] == "–"
    _assert_quiet(opened)


def test_tables_filter_over_rows_that_are_not_drawn(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    opened = _opened(browser, _table(), tmp_path)
    opened.page.get_by_label("Show rows that contain").fill("DETAIL 44")
    assert opened.page.locator("#rows tbody tr").count() == 10
    assert opened.page.get_by_role("status").inner_text() == "11 found"
    opened.page.get_by_label("Show rows that contain").fill("owned")
    text = opened.page.locator("#rows tbody bdi").first.inner_text()
    assert text.startswith("<script>document.title='owned'</script>\\u202ekkk")
    assert len(text) <= 400
    assert opened.page.title() == "run · perfkit"
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 1280
    _assert_quiet(opened)


def test_the_contents_are_a_menu_on_a_phone_and_a_column_on_a_desk(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    phone = _open(browser, ctr_run(), tmp_path, viewport={"width": 390, "height": 800}).page
    assert not phone.locator(".side").is_visible()
    phone.locator(".menu summary").click()
    phone.locator(".menu").get_by_role("link", name="Steps").click()
    assert phone.url.endswith("#steps")
    assert not phone.locator(".menu nav").is_visible()
    desk = _open(browser, ctr_run(), tmp_path, viewport={"width": 1400, "height": 800}).page
    assert desk.locator(".side").is_visible()
    assert not desk.locator(".menu").is_visible()
    desk.locator(".side").get_by_role("link", name="Steps").click()
    desk.wait_for_selector('.side a[aria-current][href="#steps"]')


def test_printing_opens_what_is_folded_and_draws_every_chart(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    opened = _open(browser, ctr_run(), tmp_path)
    _drawn(opened, "chart-steps-host")
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.page.locator("details:not([open], .leaf, .menu)").count() == 0
    assert opened.page.locator(".chart:not(:has(.main-svg))").count() == 0
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.page.locator("details:not([open])").count() > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("run", [ctr_run(), lens_run()], ids=["ctr", "lens"])
def test_axe_finds_nothing_serious(
    browser: sync_api.Browser, tmp_path: Path, run: Run, scheme: str
) -> None:
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    script = Path(package.__path__[0], "axe.min.js").read_text(encoding="utf-8")
    # The page's own policy would keep axe out, too.
    opened = _open(browser, run, tmp_path, color_scheme=scheme, bypass_csp=True)
    _drawn(opened, "chart-steps-host")
    opened.page.evaluate(script)
    found = opened.page.evaluate("axe.run()")
    assert len(found["passes"]) > 10
    serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["target"]) for each in serious] == []


def test_no_word_of_a_narrow_column_is_broken(browser: sync_api.Browser, tmp_path: Path) -> None:
    """A word in two lines has two rectangles."""
    long = "--set attention=sdpa --set moe=grouped --set embedding=fused --set id_policy=clamp"
    heads = tuple(map(Head, ("What", "Before", "After", "Meaning")))
    rows = ((Cell("arguments"), Cell("–"), Cell(long), Cell("may be the reason")),)
    text = page_of([Block("a", "A", (Text("a"),)), Block("b", "B", (Grid(heads, rows),))], "r", "d")
    for width in (390, 1200):
        opened = _opened(browser, text, tmp_path, viewport={"width": width, "height": 800})
        first = opened.page.locator("#b td bdi").first
        assert first.inner_text() == "arguments"
        assert first.evaluate("each => each.getClientRects().length") == 1


def test_advice_of_the_first_screen_takes_two_lines_at_most(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    grid = Grid((Head("#", "number"), Head("Instead")), ((Cell("1"), Cell("a word " * 90)),))
    text = page_of([Block("verdict", "V", (grid,))], "run", "cpu")
    for width in (390, 1200):
        opened = _opened(browser, text, tmp_path, viewport={"width": width, "height": 800})
        advice = opened.page.locator("#verdict td").last.locator("bdi")
        assert advice.evaluate("each => each.clientHeight") < 50


def test_two_times_of_a_tile_stand_on_one_line(browser: sync_api.Browser, tmp_path: Path) -> None:
    tiles = tuple(Tile(f"label {n}", "26.6 ms → 5.23 ms") for n in range(5))
    text = page_of([Block("verdict", "V", (Hero("What", "why", "next", tiles),))], "run", "cpu")
    for width in (390, 1200):
        opened = _opened(browser, text, tmp_path, viewport={"width": width, "height": 800})
        for value in opened.page.locator(".tiles dd").all():
            assert value.evaluate("each => each.clientHeight") < 40
