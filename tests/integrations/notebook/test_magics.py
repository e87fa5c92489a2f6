"""`%%perfkit` and `%perfkit_line`: what they measure, show, and refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfkit.capture import instrument
from tests.integrations.notebook.conftest import Notebook

WORK = "def work(x):\n    keep = x[x > 0]\n    return keep.sum().item()\n"
CELL = """%%perfkit --device pretend-cuda --as p
x = torch.randn(50, device="cuda")
for _ in range(14):
    work(x)
    perfkit.step()
"""


def _refused(notebook: Notebook, cell: str, capfd: pytest.CaptureFixture[str]) -> str:
    """What IPython prints instead of a traceback."""
    result = notebook.shell.run_cell(cell)
    assert type(result.error_in_exec).__name__ == "UsageError"
    return str(result.error_in_exec)


def test_an_unknown_option_is_refused_in_a_line(
    notebook: Notebook, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "--divice" in _refused(notebook, "%%perfkit --divice cpu\n1", capfd)
    assert not Path("profiles").exists()


def test_a_line_without_a_statement_is_refused(
    notebook: Notebook, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "name a statement" in _refused(notebook, "%perfkit_line --device cpu", capfd)


def test_one_capture_inside_another_is_refused(
    notebook: Notebook, capfd: pytest.CaptureFixture[str]
) -> None:
    cell = "with perfkit.profile('outer', device='cpu'):\n    %perfkit_line work(1)"
    assert "running already" in _refused(notebook, cell, capfd)
    assert instrument.active() is None


def test_an_error_of_the_cell_is_the_cells_and_ends_the_capture(notebook: Notebook) -> None:
    result = notebook.shell.run_cell("%%perfkit --device cpu\n1 / 0")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert instrument.active() is None


def test_a_cell_without_steps_says_how_to_mark_them(notebook: Notebook) -> None:
    (data,) = notebook.run("%%perfkit --device cpu\nx = torch.ones(3)")
    assert "perfkit.step()" in data["text/plain"] and "No complete step" in data["text/plain"]


def test_a_cell_is_measured_and_its_lines_are_named_as_in_the_notebook(notebook: Notebook) -> None:
    notebook.run(WORK)
    number = notebook.shell.execution_count - 1
    (data,) = notebook.run(CELL)
    assert "2 host-device synchronisations" in data["text/html"]
    assert f"<code>In [{number}]:3</code>" in data["text/html"]
    assert "keep.sum().item()" in data["text/html"]
    measured = notebook.shell.user_ns["p"]
    assert {sync.stack[-1].line for sync in measured.run.syncs} == {4}  # as counted in the cell
    assert measured.run.directory.parent == Path("profiles").absolute()


def test_waits_on_plain_tensors_are_not_called_nothing_to_change(notebook: Notebook) -> None:
    notebook.run(WORK)
    (verdict,) = notebook.run(CELL.replace("pretend-cuda", "cpu").replace(', device="cuda"', ""))
    told = " ".join(verdict["text/plain"].split())
    assert "No tensor counted as on the device" in told and "--device pretend-cuda" in told
    assert "Nothing to change" not in told


def test_a_last_expression_is_shown_above_the_verdict(notebook: Notebook) -> None:
    notebook.run(WORK)
    cell = "%%perfkit --device cpu\nfor i in range(4): perfkit.step()\n'a value'"
    (verdict,) = notebook.run(cell)
    assert notebook.shell.user_ns["_"] == "a value" and "perfkit" in verdict["text/plain"]


def test_a_repeated_cell_makes_each_time_one_step(notebook: Notebook) -> None:
    notebook.run("%%perfkit --device cpu --repeat 9 --as p\nx = torch.ones(3) + 1")
    assert len(notebook.shell.user_ns["p"].run.steps) == 9


def test_a_statement_keeps_its_quotes_and_its_words(notebook: Notebook) -> None:
    line = '%perfkit_line --device=cpu --repeat 5 --as p said = "it\'s --as it is" if 1 else -1'
    notebook.run(line)
    assert notebook.shell.user_ns["said"] == "it's --as it is"
    assert len(notebook.shell.user_ns["p"].run.steps) == 5


def test_a_block_in_a_cell_is_shown_by_name(notebook: Notebook) -> None:
    notebook.run(WORK)
    block = CELL.replace("%%perfkit --device pretend-cuda --as p\n", "")
    notebook.run(
        "with perfkit.profile('b', device='pretend-cuda') as p:\n"
        + "".join(f"    {line}\n" for line in block.splitlines())
    )
    findings = notebook.shell.user_ns["p"].diagnosis.findings()
    assert findings and all("/In [" in found.place.file for _, found in findings if found.place)
