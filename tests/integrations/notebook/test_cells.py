"""Code of a cell bears the cell's number, and nothing else is renamed."""

from __future__ import annotations

import linecache

from perfkit.analysis.source import source_at
from perfkit.detectors import places
from perfkit.integrations.notebook import attach, shell
from perfkit.integrations.notebook.cells import name_cells
from perfkit.model.syncs import Frame
from tests.integrations.notebook.conftest import Notebook


def test_outside_of_a_notebook_nothing_is_attached() -> None:
    assert shell() is None and attach() is None


def test_files_keep_their_names(notebook: Notebook) -> None:
    linecache.getlines(__file__)
    name_cells(notebook.shell)
    assert __file__ not in places.called
    code = test_files_keep_their_names.__code__
    assert places.resolve(((__file__, code, 0),))[0].file == __file__


def test_a_function_of_a_cell_is_found_under_its_number_with_its_text(notebook: Notebook) -> None:
    notebook.run("def work(x):\n    return x + 1\n")
    number = notebook.shell.execution_count - 1
    name_cells(notebook.shell)
    code = notebook.shell.user_ns["work"].__code__
    frame = places.resolve(((code.co_filename, code, 0),))[0]
    assert frame.file.endswith(f"/In [{number}]")
    source = source_at(Frame(frame.file, 2, "work"))
    assert source is not None and source.code == "return x + 1"


def test_how_ipython_runs_a_cell_is_no_part_of_the_stack(notebook: Notebook) -> None:
    notebook.run("from perfkit.detectors import places\ndef here():\n    return places.origin()\n")
    notebook.run("found = here()")
    name_cells(notebook.shell)
    stack = places.resolve(notebook.shell.user_ns["found"].place)
    assert len(stack) == 2 and all("/In [" in frame.file for frame in stack)
