from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from perfkit.io.rundir import load, save
from perfkit.model.loaders import LoaderUse
from perfkit.model.run import Run


def test_loaders_survive_a_run_on_disk(tmp_path: Path) -> None:
    used = LoaderUse("Clicks", 8, 2, True, 4, False, 100, 7, ((1, 5),), ((6, 7), (8, 11)), (0, 2))
    endless = replace(used, batch_size=None, prefetch_factor=None, length=None)
    save(Run("x", loaders=(used, endless)), tmp_path / "run")
    assert load(tmp_path / "run").loaders == (used, endless)
