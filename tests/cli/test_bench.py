"""`perfkit bench` on a small stand-in workload, in real processes; the real ones have tests of theirs."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from perfkit.base.errors import PerfkitError
from perfkit.cli.bench import command, configurations
from perfkit.io import ledger
from perfkit.workloads import _bench

SIZES = frozenset({"rows"})
STAND_IN = """
    import os
    import time
    from perfkit.rewrites._counting import Counts
    from perfkit.workloads._bench import Measured

    OPTIONS = {"form": "found or fast", "rows": "how many"}
    SIZES = frozenset({"rows"})

    def measure(settings, device):
        form = settings.get("form", "found")
        if form == "killed":
            os._exit(9)
        if form == "broken":
            raise RuntimeError("out of luck\\nand more")
        if form not in ("found", "fast"):
            raise ValueError(f"form is found or fast, not {form!r}")
        took = 0.5 if form == "found" else 0.1
        rows = int(settings.get("rows", 1))
        return Measured(
            "run", took * rows / 2, took * rows, None, Counts(rows, 0, 0), {"AUC": 0.75}
        )
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A workload named `stand_in`, for this process and for those that it starts."""
    package = tmp_path / "perfkit_stand_ins" / "stand_in"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "bench.py").write_text(textwrap.dedent(STAND_IN))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(_bench, "ROOM", "perfkit_stand_ins")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.startswith("perfkit_stand_ins")]:
        del sys.modules[name]


def rows(tmp_path, *arguments):
    result = CliRunner().invoke(command, ["stand_in", "--out", str(tmp_path), *arguments])
    assert result.exit_code == 0, result.output or result.exception
    document = json.loads((tmp_path / "bench-stand_in.json").read_text())
    return document["rows"], result.output


def test_the_found_program_comes_first_in_every_size():
    made = list(configurations(["rows=2"], ["form=fast,found"], SIZES, True))
    assert [settings for settings, _ in made] == [
        {"rows": "2"},
        {"rows": "2", "form": "fast"},
        {"rows": "2", "form": "found"},
    ]
    swept = [s for s, _ in configurations([], ["rows=1,2", "form=fast"], SIZES, True)]
    assert swept == [
        {"rows": "1"},
        {"rows": "1", "form": "fast"},
        {"rows": "2"},
        {"rows": "2", "form": "fast"},
    ]


def test_without_settings_the_found_program_alone_is_measured():
    assert list(configurations([], [], SIZES, True)) == [({}, {})]


@pytest.mark.parametrize("text", ["rows", "=3"])
def test_a_setting_without_a_value_is_a_mistake(text):
    with pytest.raises(PerfkitError, match="KEY=VALUE"):
        list(configurations([text], [], SIZES, True))


@pytest.mark.usefixtures("stand_in")
def test_configurations_are_compared_with_the_found_one_of_their_size(tmp_path):
    found, output = rows(tmp_path, "--sweep", "rows=1,2", "--set", "form=fast")
    assert [row["times_found"] for row in found] == pytest.approx([1, 5, 1, 5])
    assert found[3]["counts"]["device_ops"] == 2
    assert found[0]["peak_bytes"] > 1e6
    assert "time escapes the timer" in output
    page = Path(tmp_path / "bench-stand_in.html").read_text()
    assert "5 times as fast as found" in page
    assert "rows=2, form=fast" in page or "form=fast, rows=2" in page


@pytest.mark.usefixtures("stand_in")
def test_what_was_expected_stands_beside_what_came_out(tmp_path):
    arguments = ("--set", "form=fast", "--hypothesis", "less work", "--predict", "completed_s=0.2")
    for _ in range(2):
        _, output = rows(tmp_path, *arguments)
    assert "expected completed_s 0.2, measured 0.1" in output
    entries = ledger.read(tmp_path / "ledger.jsonl").entries
    assert len(entries) == 4  # appended, not replaced
    assert entries[1]["hypothesis"] == "less work"
    assert entries[1]["prediction"] == {"completed_s": 0.2}
    assert entries[0]["prediction"] == {}
    assert "less work" in Path(tmp_path / "bench-stand_in.html").read_text()


@pytest.mark.usefixtures("stand_in")
def test_a_configuration_that_fails_costs_its_own_row(tmp_path):
    found, _ = rows(tmp_path, "--sweep", "form=broken,killed,fast")
    failed = [row["failed"] for row in found]
    assert failed[0] == failed[3] == ""
    assert failed[1] == "RuntimeError: out of luck"
    assert "code 9" in failed[2]
    assert found[1]["completed_s"] is None


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--set", "form=wrong"), "found or fast"),
        (("--predict", "syncs=few"), "no number"),
        (("--device", "tpu"), "no device"),
    ],
)
def test_mistakes_say_what_is_possible(tmp_path, arguments, says):
    result = CliRunner().invoke(command, ["stand_in", "--out", str(tmp_path), *arguments])
    assert isinstance(result.exception, PerfkitError)
    assert says in str(result.exception)


def test_an_unknown_workload_lists_those_there_are():
    result = CliRunner().invoke(command, ["no_such"])
    assert "ctr" in str(result.exception)


@pytest.mark.usefixtures("stand_in")
def test_options_are_listed(tmp_path):
    result = CliRunner().invoke(command, ["stand_in", "--options"])
    assert "found or fast" in result.output
