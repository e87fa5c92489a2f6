"""What a notebook shows of plain data, which knows nothing of notebooks."""

from __future__ import annotations

from pathlib import Path

from perfkit.integrations.notebook.display import Conclusion
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from perfkit.model.table import Column, Table
from perfkit.rules import diagnose
from tests.integrations.notebook.conftest import Notebook
from tests.sample_runs import ctr_run


def _shown(notebook: Notebook, value: object) -> dict[str, str]:
    notebook.shell.user_ns["value"] = value
    (data,) = notebook.run("display(value)")
    return data


def test_the_model_has_no_display_of_its_own() -> None:
    for kind in (Run, Table, Finding):
        assert not hasattr(kind, "_repr_html_")


def test_a_diagnosis_is_its_verdict_as_html_and_as_text(notebook: Notebook) -> None:
    diagnosis = diagnose(ctr_run())
    data = _shown(notebook, diagnosis)
    assert diagnosis.verdict.what.split(";")[0] in data["text/html"]
    assert data["text/plain"].startswith("perfkit") and "Diagnosis(" not in data["text/plain"]
    assert "\x1b" not in data["text/plain"]


def test_a_run_says_what_was_recorded_and_where_it_is_kept(notebook: Notebook) -> None:
    data = _shown(notebook, ctr_run())
    assert "5 bare, 3 light, 2 deep" in data["text/html"] and "not kept" in data["text/html"]
    assert "5 bare, 3 light, 2 deep" in data["text/plain"]
    inside = Run("x", directory=Path.cwd() / "profiles" / "x")
    assert "kept in                profiles/x" in _shown(notebook, inside)["text/plain"]


def test_a_table_has_units_as_html_and_is_a_frame_as_text(notebook: Notebook) -> None:
    table = Table((Column("name"), Column("time_ns", "ns")), (("<b>", 1_500_000),))
    data = _shown(notebook, table)
    assert "1.5 ms" in data["text/html"] and "&lt;b&gt;" in data["text/html"]
    assert "time_ns" in data["text/plain"] and "1500000" in data["text/plain"]


def test_a_finding_names_the_cell(notebook: Notebook) -> None:
    found = Finding("Waits", Frame("/tmp/kernel/In [2]", 3, "f"), "x.item()", fix="Do not")
    data = _shown(notebook, found)
    assert data["text/plain"] == "In [2]:3: Waits\nx.item()\nDo not"
    assert "<code>In [2]:3</code>" in data["text/html"]


def test_a_measured_cell_says_where_its_run_is(notebook: Notebook) -> None:
    shown = Conclusion(diagnose(ctr_run()), Run("x", directory=Path("/elsewhere/x")))
    data = _shown(notebook, shown)
    assert data["text/plain"].endswith("/elsewhere/x") and "/elsewhere/x" in data["text/html"]
