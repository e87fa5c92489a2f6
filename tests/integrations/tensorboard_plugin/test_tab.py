"""The tab in a real TensorBoard and a real browser, without a network."""

from __future__ import annotations

import json
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from perfkit.cli import view
from tests.integrations.tensorboard_plugin.test_plugin import HOSTILE, save
from tests.report.test_browser import ARGUMENTS
from tests.sample_runs import ctr_run, hostile_run

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
RECORDED = Path(__file__).resolve().parents[3] / "profiles" / "ctr-found"
EARLIER, LATER = "evaluate-20260102-030405", "evaluate-20260103-030405"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(
        not any(each.name == "perfkit" for each in entry_points(group="tensorboard_plugins")),
        reason="perfkit is on the path, but not installed",
    ),
]


@dataclass
class Tab:
    """A browser's page on TensorBoard, and what it did."""

    page: sync_api.Page
    root: str
    console: list[str] = field(default_factory=list)
    elsewhere: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.context.route("**/*", self._routed)

    def _said(self, message: sync_api.ConsoleMessage) -> None:
        if message.type == "error":
            self.console.append(message.text)

    def _routed(self, route: sync_api.Route) -> None:
        url = route.request.url
        if url.startswith((self.root, "data:", "blob:")):
            route.continue_()
        else:
            self.elsewhere.append((route.request.frame.url, url))
            route.abort()

    def open(self, hash: str) -> None:
        self.page.goto(f"{self.root}#{hash}")

    @property
    def frame(self) -> sync_api.FrameLocator:
        return self.page.frame_locator("iframe[src*='name=perfkit']")

    @property
    def report(self) -> sync_api.FrameLocator:
        return self.frame.frame_locator("section iframe")

    def shown(self) -> str:
        """The run whose report is in front, as the report itself says."""
        self.report.locator("#verdict h1").wait_for()
        return self.report.locator("header.top .run").inner_text()

    def run(self, name: str) -> sync_api.Locator:
        return self.frame.locator("nav button", has=self.page.get_by_text(name, exact=True))

    def inside(self, condition: str) -> sync_api.Frame:
        """The report's frame once `condition` holds there; its policy forbids Playwright's own wait."""
        for _ in range(300):
            for frame in self.page.frames:
                if "/report?" in frame.url and frame.evaluate(condition):
                    return frame
            self.page.wait_for_timeout(100)
        raise AssertionError(f"never: {condition}")

    def quiet(self) -> None:
        assert self.console == []
        assert self.elsewhere == []


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    logs = tmp_path_factory.mktemp("logs")
    save(ctr_run(), logs / "nested" / EARLIER)
    save(ctr_run(), logs / LATER)
    save(hostile_run(), logs / HOSTILE)
    shutil.copytree(RECORDED, logs / "ctr-found", copy_function=shutil.copyfile)
    (logs / "broken").mkdir()
    (logs / "broken" / "diagnosis.json").write_text("{")
    view.with_scalars(logs)
    with view.serving(logs, view.free_port()) as (_, url):
        yield url.partition("#")[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def tab(root: str, browser: sync_api.Browser) -> Iterator[Tab]:
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        context.set_default_timeout(30_000)
        yield Tab(context.new_page(), root)


def test_the_tab_opens_on_the_newest_run_that_opens_and_asks_nobody_else(
    tab: Tab, tmp_path: Path
) -> None:
    tab.open("perfkit")
    assert tab.shown() == "ctr-found"
    assert tab.page.url.endswith("#perfkit&p.perfkit.run=ctr-found")
    assert "Runs (5)" in tab.frame.locator("nav").inner_text()
    assert tab.run("ctr-found").get_attribute("aria-current") == "true"
    shot = tmp_path / "tab.png"
    tab.page.screenshot(path=shot)
    assert shot.stat().st_size > 20_000
    tab.quiet()


def test_the_report_draws_inside_its_sandbox(tab: Tab) -> None:
    tab.open("perfkit&p.perfkit.run=ctr-found")
    tab.shown()
    tab.report.locator(".chart").first.scroll_into_view_if_needed()
    tab.report.locator(".chart svg").first.wait_for()
    frame = tab.frame.locator("section iframe")
    assert frame.get_attribute("sandbox") == "allow-scripts allow-modals"
    inside = tab.inside("true")
    assert inside.evaluate("origin") == "null"
    reached = "fetch('/data/runs').then(() => 'reached', () => 'refused')"
    assert inside.evaluate(reached) == "refused"


def test_a_click_chooses_a_run_and_the_address_names_it(tab: Tab) -> None:
    tab.open("perfkit")
    tab.run(f"nested/{EARLIER}").click()
    tab.frame.get_by_role("heading", level=1, name=f"nested/{EARLIER}").wait_for()
    assert tab.page.url.endswith(f"#perfkit&p.perfkit.run=nested%2F{EARLIER}")
    address = tab.page.url
    tab.page.goto("about:blank")
    tab.page.goto(address)
    tab.frame.get_by_role("heading", level=1, name=f"nested/{EARLIER}").wait_for()
    tab.quiet()


def test_the_history_shows_the_runs_of_one_program_and_chooses_too(tab: Tab) -> None:
    tab.open(f"perfkit&p.perfkit.run={LATER}")
    history = tab.frame.locator(".history")
    history.locator("svg").first.wait_for()
    assert "2 runs of evaluate.py, oldest first" in history.inner_text()
    titles = history.locator("figcaption").all_inner_texts()
    assert [" ".join(title.split()) for title in titles] == [
        "Step time 411 ms",
        "Sync points per step 130",
        "Blocking copies per step 62",
    ]
    label = f"Step time. nested/{EARLIER}: 411 ms; {LATER}: 411 ms"
    assert history.get_by_role("img", name=label).count() == 1
    history.locator("circle:not(.chosen)").first.click()
    tab.frame.get_by_role("heading", level=1, name=f"nested/{EARLIER}").wait_for()


def test_the_list_is_filtered(tab: Tab) -> None:
    tab.open("perfkit")
    tab.run("ctr-found").wait_for()
    tab.frame.get_by_label("Filter runs").fill("EVALUATE-2026")
    assert tab.frame.locator("nav li").count() == 2
    tab.frame.get_by_label("Filter runs").fill("nothing like it")
    assert tab.frame.locator("nav li").count() == 0
    assert "No run has this in its name." in tab.frame.locator("nav").inner_text()


def test_a_link_to_a_finding_opens_there(tab: Tab) -> None:
    tab.open("perfkit&p.perfkit.run=ctr-found&p.perfkit.at=finding-2")
    target = tab.report.locator("#finding-2")
    target.wait_for()
    inside = tab.inside("scrollY > 300")
    assert inside.evaluate("document.activeElement.id") == "finding-2"


def test_a_link_that_comes_while_another_tab_is_in_front_waits_for_its_place(tab: Tab) -> None:
    tab.open("perfkit")
    tab.shown()
    tab.open("timeseries")
    tab.page.get_by_text("perfkit/launches").first.wait_for()
    tab.open(f"perfkit&p.perfkit.run={LATER}&p.perfkit.at=finding-2")
    tab.frame.get_by_role("heading", level=1, name=LATER).wait_for()
    tab.report.locator("#finding-2").wait_for()
    tab.inside("scrollY > 300")
    tab.page.wait_for_timeout(1_000)  # a smooth scroll ends
    place = tab.inside("true").evaluate(
        "document.getElementById('finding-2').getBoundingClientRect().top / innerHeight"
    )
    assert 0 <= place < 0.9


def test_a_broken_run_says_why(tab: Tab) -> None:
    tab.open("perfkit&p.perfkit.run=broken")
    problem = tab.frame.get_by_role("alert")
    problem.wait_for()
    assert "diagnosis.json is damaged" in problem.inner_text()
    assert "cannot be shown" in tab.run("broken").inner_text()
    tab.quiet()


def test_a_run_that_is_not_there_is_told(tab: Tab) -> None:
    tab.open("perfkit&p.perfkit.run=gone%3Cb%3E")
    told = tab.frame.get_by_role("status")
    told.wait_for()
    assert told.inner_text().startswith("There is no run “gone<b>” in this log directory.")
    tab.quiet()


def test_hostile_names_stay_text(tab: Tab) -> None:
    tab.page.on("dialog", lambda dialog: tab.console.append("a dialog"))
    tab.open("perfkit")
    tab.run(HOSTILE).click()
    tab.frame.get_by_role("heading", level=1, name=HOSTILE).wait_for()
    tab.report.locator("#verdict h1").wait_for()
    assert tab.frame.locator("img").count() == 0
    assert tab.report.locator("img").count() == 0
    assert tab.page.title() == "TensorBoard"
    address = tab.page.url
    tab.page.goto("about:blank")
    tab.page.goto(address)
    tab.frame.get_by_role("heading", level=1, name=HOSTILE).wait_for()
    tab.quiet()


def test_it_follows_the_dark_mode_of_tensorboard(tab: Tab) -> None:
    tab.open("perfkit&p.perfkit.run=ctr-found")
    tab.shown()
    paper = "element => getComputedStyle(element).backgroundColor"
    assert tab.report.locator("body").evaluate(paper) == "rgb(251, 251, 249)"
    tab.page.evaluate("document.body.classList.add('dark-mode')")
    tab.frame.locator("html.dark").wait_for()
    assert tab.frame.locator("body").evaluate(paper) == "rgb(48, 48, 48)"
    tab.inside("getComputedStyle(document.body).backgroundColor === 'rgb(21, 23, 26)'")


def test_on_a_phone_the_list_is_folded_and_nothing_sticks_out(root: str, browser: Any) -> None:
    with browser.new_context(viewport={"width": 390, "height": 800}) as context:
        tab = Tab(context.new_page(), root)
        tab.open("perfkit")
        assert tab.shown() == "ctr-found"
        assert not tab.run("broken").is_visible()
        widths = "element => [element.scrollWidth, element.clientWidth]"
        for place in (tab.frame.locator("html"), tab.report.locator("html")):
            assert place.evaluate(widths) == [390, 390]
        tab.frame.locator("summary").first.click()
        tab.run("broken").click()
        tab.frame.get_by_role("alert").wait_for()
        tab.quiet()


def test_the_standard_tab_plots_the_steps(tab: Tab) -> None:
    tab.open("perfkit")
    tab.shown()
    tab.frame.get_by_role("link", name="Time series").click()
    for tag in ("perfkit/step_time_traced_ms", "perfkit/blocking_copies", "perfkit/launches"):
        tab.page.get_by_text(tag[-14:]).first.wait_for()
    assert tab.page.url.endswith("#timeseries")
    tab.page.get_by_role("tab", name="perfkit").click()
    assert tab.shown() == "ctr-found"
    tab.quiet()


def test_the_chosen_run_is_still_there_after_a_look_at_another_tab(tab: Tab) -> None:
    tab.open(f"perfkit&p.perfkit.run={LATER}")
    tab.shown()
    tab.open("timeseries")
    tab.page.get_by_text("perfkit/launches").first.wait_for()
    tab.open("perfkit")
    tab.page.wait_for_url(f"**/#perfkit&p.perfkit.run={LATER}")
    assert tab.frame.get_by_role("heading", level=1).inner_text() == LATER


def test_the_profilers_tab_is_one_click_away_and_only_it_wants_a_network(tab: Tab) -> None:
    tab.open("perfkit&p.perfkit.run=ctr-found")
    tab.shown()
    link = tab.frame.get_by_role("link", name="Trace view")
    assert "without a network they stay empty" in (link.get_attribute("title") or "")
    assert "needs a network" in tab.frame.locator("header").inner_text()
    link.click()
    profiler = tab.page.frame_locator("iframe[src*='name=pytorch_profiler']")
    profiler.get_by_text("ctr-found").first.wait_for()
    assert tab.elsewhere
    assert all("/pytorch_profiler/" in frame for frame, _ in tab.elsewhere), tab.elsewhere


def test_scalars_say_what_the_run_says(root: str) -> None:
    def series(tag: str) -> list[tuple[int, float]]:
        query = urllib.parse.urlencode({"run": LATER, "tag": tag})
        with urllib.request.urlopen(f"{root}data/plugin/scalars/scalars?{query}") as reply:
            return [(step, value) for _, step, value in json.load(reply)]

    run = ctr_run()
    bare = [(step.index, step.duration_ns / 1e6) for step in run.steps_measured("bare")]
    assert series("perfkit/step_time_pretend_ms") == [
        (step, pytest.approx(value)) for step, value in bare
    ]
    deep = [step.index for step in run.steps_measured("deep")]
    assert series("perfkit/syncs") == [(step, 130) for step in deep]
    assert series("perfkit/launches") == [(deep[-1], 1142)]
