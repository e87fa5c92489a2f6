"""The floor that launches put under a step."""

from __future__ import annotations

import pytest

from perfkit.analysis.launches import launch_load
from perfkit.base.errors import NotObservable
from tests.draw import US, draw


def test_uncounted_launches_are_not_observable() -> None:
    with pytest.raises(NotObservable, match="not counted"):
        launch_load(draw("step  bbbb"))


def test_launches_without_a_timed_step_are_not_observable() -> None:
    with pytest.raises(NotObservable, match="no complete step"):
        launch_load(draw("step  wwww", launches_per_step=3.0))


def test_a_step_without_launches_has_no_time_per_launch() -> None:
    assert launch_load(draw("step  bbbb", launches_per_step=0.0)).ns_per_launch == 0


def test_the_floor_is_launches_at_5_7_and_10_microseconds() -> None:
    load = launch_load(draw("step  bbbbbbbbbb", launches_per_step=4.0))
    assert load.floor_ns == (20 * US, 28 * US, 40 * US)
    assert (load.step_ns, load.ns_per_launch) == (10 * US, 2_500)
