from __future__ import annotations

import numpy as np
import pytest

from perfkit.model.grids import Grids


def _grids(rows: list[int], blocks: list[int]) -> Grids:
    columns = [np.array(each, np.int64) for each in (rows, blocks, blocks, blocks)]
    return Grids(*columns)


def test_no_grids_fit_any_trace() -> None:
    Grids().self_check(0)
    assert len(Grids()) == 0


@pytest.mark.parametrize(
    ("rows", "blocks"), [([2, 1], [1, 1]), ([0, 9], [1, 1]), ([0], [-1]), ([0, 1], [1])]
)
def test_columns_that_contradict_each_other_are_noticed(rows: list[int], blocks: list[int]) -> None:
    with pytest.raises((AssertionError, ValueError)):
        _grids(rows, blocks).self_check(5)
