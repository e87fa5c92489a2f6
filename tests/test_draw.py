"""The drawing helper draws what it shows."""

from __future__ import annotations

import pytest

from tests.draw import US, draw, item


def test_a_change_of_letter_and_a_dot_end_a_step() -> None:
    run = draw("step  wwbb.bb..d")
    assert [(s.instrument, s.start_ns, s.end_ns) for s in run.steps] == [
        ("warm-up", 0, 2 * US),
        ("bare", 2 * US, 4 * US),
        ("bare", 5 * US, 7 * US),
        ("deep", 9 * US, 10 * US),
    ]


def test_syncs_fall_into_the_step_they_are_drawn_in() -> None:
    run = draw(
        """
        step  .bb.dd..
        sync  i.i..i.i
        """,
        i=item(),
    )
    assert [sync.step for sync in run.syncs] == [None, 0, 1, 2]


def test_a_row_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="no such row"):
        draw("gpu  ....")
