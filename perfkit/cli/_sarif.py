"""SARIF with the version and the folder that the command line knows."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perfkit.compare.comparison import Comparison
    from perfkit.model.diagnosis import Diagnosis


def sarif_text(diagnosis: Diagnosis) -> str:
    """The findings for code scanning."""
    from perfkit.exports.sarif import sarif

    return sarif(diagnosis, version("perfkit"), Path.cwd())


def sarif_since_text(before: Diagnosis, after: Diagnosis, comparison: Comparison) -> str:
    """The findings of a later run for code scanning, and which of them are new."""
    from perfkit.exports.sarif import sarif_since

    return sarif_since(before, after, comparison, version("perfkit"), Path.cwd())
