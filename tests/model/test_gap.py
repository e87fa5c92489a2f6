"""A gap is one value wherever it is imported from."""

from __future__ import annotations

from perfkit.model import gap, run


def test_a_run_speaks_of_the_same_gaps() -> None:
    assert run.Gap is gap.Gap
    assert run.Gap("power", "not supported") == gap.Gap("power", "not supported")
