"""An IPython shell in this process, without a kernel: what it displays is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

interactiveshell = pytest.importorskip("IPython.core.interactiveshell")


class Notebook:
    """Runs cells and keeps what they show."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell

    def run(self, cell: str) -> list[dict[str, Any]]:
        """What the cell displays, as data by MIME type; what it raises is raised."""
        from IPython.utils.capture import capture_output

        with capture_output(stdout=False, stderr=False) as shown:
            result = self.shell.run_cell(cell, store_history=True)
        result.raise_error()
        return [output.data for output in shown.outputs]


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    from traitlets.config import Config

    from perfkit.detectors import places

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setattr(places, "called", {})
    torch.set_num_threads(1)
    config = Config()
    config.HistoryManager.enabled = False
    shell = interactiveshell.InteractiveShell.instance(config=config)
    notebook = Notebook(shell)
    notebook.run("%load_ext perfkit\nimport perfkit, torch")
    yield notebook
    interactiveshell.InteractiveShell.clear_instance()
