"""The tab's routes, asked without a TensorBoard around them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("tensorboard.plugins.base_plugin")
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

from perfkit.integrations.tensorboard_plugin import _runs
from perfkit.integrations.tensorboard_plugin.plugin import PerfkitPlugin
from perfkit.io import rundir
from perfkit.model.run import Run
from perfkit.rules import _engine, diagnose
from tests.sample_runs import ctr_run, hostile_run, lens_run

HOSTILE = "<img src=x onerror=alert(1)>&p.perfkit.run=x"


def save(run: Run, folder: Path) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    saved = rundir.save(run, folder)
    rundir.save_diagnosis(folder, diagnose(saved, _engine.outcome))
    return folder


class Tab:
    """The plugin for one log directory, and what it answers."""

    def __init__(self, logdir: Path | str) -> None:
        self.plugin = PerfkitPlugin(SimpleNamespace(logdir=str(logdir)))
        self._apps = self.plugin.get_plugin_apps()

    def get(self, route: str, **arguments: Any) -> TestResponse:
        return Client(self._apps[route], Response).get("/", **arguments)

    def runs(self) -> dict[str, dict[str, Any]]:
        return {run["name"]: run for run in json.loads(self.get("/runs").data)["runs"]}

    def report(self, run: str, **arguments: str) -> TestResponse:
        return self.get("/report", query_string={"run": run, **arguments})


def test_an_empty_log_directory_has_no_tab(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "run.json").touch()
    tab = Tab(tmp_path)
    assert not tab.plugin.is_active()
    assert tab.runs() == {}


@pytest.mark.parametrize("logdir", ["", "nowhere", "gs://bucket/logs"])
def test_a_log_directory_that_is_no_folder_has_no_tab(logdir: str) -> None:
    tab = Tab(logdir)
    assert not tab.plugin.is_active()
    assert tab.runs() == {}
    assert tab.report("x").status_code == 404


@pytest.mark.parametrize(
    "name",
    ["", "..", "../outside", "inside/../../outside", "/etc", "inside/diagnosis.json", "linked",
     "INSIDE", "inside/", "./inside", "inside\x00"],
)  # fmt: skip
def test_only_names_of_the_list_lead_anywhere(tmp_path: Path, name: str) -> None:
    save(lens_run(), tmp_path / "outside")
    save(lens_run(), tmp_path / "logs" / "inside")
    (tmp_path / "logs" / "linked").symlink_to(tmp_path / "outside")
    tab = Tab(tmp_path / "logs")
    assert set(tab.runs()) == {"inside"}
    assert tab.report(name).status_code == 404
    assert tab.report("inside").status_code == 200


def test_every_run_is_listed_with_its_numbers(tmp_path: Path) -> None:
    save(ctr_run(), tmp_path / "ctr")
    save(lens_run(), tmp_path / "deep" / "er" / "lens-20260102-030405")
    tab = Tab(tmp_path)
    assert tab.plugin.is_active()
    runs = tab.runs()
    assert list(runs) == ["deep/er/lens-20260102-030405", "ctr"]  # by date
    ctr = runs["ctr"]
    assert (ctr["waits"], ctr["copies"]) == (130, 62)
    assert (ctr["step_ns"], ctr["problem"], ctr["trace"]) == (411_000_000, None, False)
    assert ctr["program"] == "evaluate.py"
    assert runs["deep/er/lens-20260102-030405"]["title"] == (
        "deep/er/lens-20260102-030405"  # as the profiler's tab calls it too
    )


def test_the_log_directory_may_be_the_run(tmp_path: Path) -> None:
    tab = Tab(save(ctr_run(), tmp_path / "ctr"))
    assert [(run["name"], run["title"]) for run in tab.runs().values()] == [(".", "ctr")]
    assert tab.report(".").status_code == 200


def test_a_trace_beside_a_run_is_told(tmp_path: Path) -> None:
    (save(ctr_run(), tmp_path / "ctr") / "w.1.pt.trace.json.gz").touch()
    assert Tab(tmp_path).runs()["ctr"]["trace"] is True


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"schema": ', "is damaged"),
        ("[]", "is not a diagnosis"),
        ('{"schema": "perfkit.diagnosis/99"}', "is not a perfkit.diagnosis"),
        ('{"schema": "perfkit.diagnosis/2"}', "is damaged"),
        ("[" * 100_000, "is damaged"),
    ],
)
def test_a_broken_run_says_why_and_leaves_the_others(tmp_path: Path, text: str, why: str) -> None:
    save(ctr_run(), tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "diagnosis.json").write_text(text)
    tab = Tab(tmp_path)
    runs = tab.runs()
    assert why in runs["bad"]["problem"]
    assert runs["good"]["problem"] is None
    answer = tab.report("bad")
    assert answer.status_code == 422
    assert answer.content_type.startswith("text/plain")
    assert why in answer.text


def test_tables_of_a_stranger_do_not_bring_it_down(tmp_path: Path) -> None:
    data = json.loads((save(ctr_run(), tmp_path / "r") / "diagnosis.json").read_text())
    for table in data["tables"].values():
        table["columns"], table["rows"] = [{"name": "x"}], [["y"]]
    (tmp_path / "r" / "diagnosis.json").write_text(json.dumps(data))
    tab = Tab(tmp_path)
    assert tab.runs()["r"]["step_ns"] is None
    answer = tab.report("r")
    assert answer.status_code == 422
    assert "does not fit this version" in answer.text


def test_a_capture_that_was_cut_off_is_judged_from_what_there_is(tmp_path: Path) -> None:
    rundir.save(ctr_run(), tmp_path / "cut")
    tab = Tab(tmp_path)
    assert (tab.runs()["cut"]["waits"], tab.report("cut").status_code) == (130, 200)


def test_lost_synchronisation_points_are_not_zero(tmp_path: Path) -> None:
    rundir.save(ctr_run(), tmp_path / "cut")
    (tmp_path / "cut" / "syncs.json").unlink()
    cut = Tab(tmp_path).runs()["cut"]
    assert (cut["waits"], cut["copies"]) == (None, None)


def test_hostile_names_are_data(tmp_path: Path) -> None:
    save(hostile_run(), tmp_path / HOSTILE)
    undecodable = os.fsdecode(b"caf\xe9")
    save(ctr_run(), tmp_path / undecodable)
    tab = Tab(tmp_path)
    assert set(tab.runs()) == {HOSTILE, "caf\ufffd"}
    for name in (HOSTILE, "caf\ufffd"):
        assert tab.report(name).status_code == 200
    assert "<img src=x" not in tab.report(HOSTILE).text


def test_only_the_newest_runs_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_runs, "MOST", 2)
    for day in (3, 1, 2):
        (tmp_path / f"x-2026010{day}-000000").mkdir()
        (tmp_path / f"x-2026010{day}-000000" / "diagnosis.json").write_text("{}")
    listed = json.loads(Tab(tmp_path).get("/runs").data)
    assert [run["name"][:10] for run in listed["runs"]] == ["x-20260102", "x-20260103"]
    assert listed["left_out"] == 1


def test_a_report_is_made_once_until_its_diagnosis_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perfkit.report import html

    folder = save(ctr_run(), tmp_path / "r")
    made: list[str] = []
    render = html.render
    monkeypatch.setattr(html, "render", lambda found: made.append(found.run) or render(found))
    tab = Tab(tmp_path)
    first = tab.report("r")
    again = tab.get(
        "/report", query_string={"run": "r"}, headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status_code, again.data, len(made)) == (304, b"", 1)
    rundir.save_diagnosis(folder, diagnose(replace(ctr_run(), name="other"), _engine.outcome))
    assert "other" in tab.report("r").text
    assert len(made) == 2


def test_a_report_comes_with_a_policy_that_allows_no_connection(tmp_path: Path) -> None:
    save(ctr_run(), tmp_path / "r")
    answer = Tab(tmp_path).report("r")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "frame-ancestors 'self'" in policy
    assert not {"connect-src", "'unsafe-eval'", "http:"} & set(policy.split())
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("theme", "other"), [("dark", "light"), ("light", "dark")])
def test_a_report_follows_the_mode_of_tensorboard(tmp_path: Path, theme: str, other: str) -> None:
    save(ctr_run(), tmp_path / "r")
    tab = Tab(tmp_path)
    plain, styled = tab.report("r"), tab.report("r", theme=theme)
    css = styled.text[: styled.text.index("</style>")]
    assert "(prefers-color-scheme: dark)" in plain.text
    assert "prefers-color-scheme" not in css
    assert f'name="color-scheme" content="{theme}"' in css
    assert f"color-scheme: {theme};" in css and f"color-scheme: {other};" not in css
    assert styled.headers["ETag"] != plain.headers["ETag"]
    assert tab.report("r", theme="<script>").data == plain.data


def test_the_tabs_own_files_are_served_and_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    tab = Tab(tmp_path)
    served = {name: tab.get(name) for name in tab.plugin.get_plugin_apps() if "." in name}
    assert tab.plugin.frontend_metadata().es_module_path in served
    for name, answer in served.items():
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        assert (answer.status_code, answer.mimetype) == (200, kind)
        assert "//" not in answer.text.replace("// ", "").replace("http://www.w3.org/2000/svg", "")
        assert "innerHTML" not in answer.text


def test_torch_stays_out_of_tensorboards_process(tmp_path: Path) -> None:
    save(ctr_run(), tmp_path / "r")
    rundir.save(ctr_run(), tmp_path / "cut")
    program = (
        "import sys\n"
        "from tests.integrations.tensorboard_plugin.test_plugin import Tab\n"
        f"before = 'torch' in sys.modules; tab = Tab({str(tmp_path)!r})\n"
        "print(sorted(tab.runs()), tab.report('r').status_code, tab.report('cut').status_code)\n"
        "print(before, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["['cut', 'r'] 200 200", "False False"], done.stderr


def test_tensorboard_finds_the_plugin_by_its_entry_point() -> None:
    from importlib.metadata import entry_points

    found = [each for each in entry_points(group="tensorboard_plugins") if each.name == "perfkit"]
    if not found:
        pytest.skip("perfkit is on the path, but not installed")
    assert found[0].load() is PerfkitPlugin
