"""The side table of recorded arguments contradicts itself loudly."""

from __future__ import annotations

import numpy as np
import pytest

from perfkit.model.shapes import Shapes

ROWS, CODE = np.array([1, 4]), np.array([0, 0], np.int32)


def test_a_trace_without_shapes_has_none() -> None:
    Shapes().self_check(0)
    assert len(Shapes()) == 0


@pytest.mark.parametrize(
    "shapes",
    [
        pytest.param(Shapes(ROWS, CODE[:1], ("x",)), id="fewer codes than rows"),
        pytest.param(Shapes(ROWS[::-1], CODE, ("x",)), id="rows in disorder"),
        pytest.param(Shapes(ROWS, CODE + 1, ("x",)), id="a code without its text"),
        pytest.param(Shapes(ROWS + 1, CODE, ("x",)), id="a row behind the last event"),
    ],
)
def test_a_table_that_fits_no_trace_is_refused(shapes: Shapes) -> None:
    with pytest.raises(AssertionError):
        shapes.self_check(5)


def test_rows_may_share_a_signature() -> None:
    Shapes(ROWS, CODE, ("x",)).self_check(5)
