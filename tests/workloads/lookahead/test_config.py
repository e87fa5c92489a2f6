"""Sizes that cannot be are refused in words."""

from __future__ import annotations

import pytest

from perfkit.workloads.lookahead.config import CONFIGS, Config


def test_the_named_configurations_are_possible():
    assert CONFIGS["laptop"] == Config()
    assert CONFIGS["gpu"].main_layers > CONFIGS["gpu"].draft_layers


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"form": "quick"}, "form is one of"),
        ({"mode": "beam"}, "mode one of"),
        ({"width": 47}, "does not divide into 4 heads"),
        ({"prompt": 2}, "3 tokens at least"),
        ({"longest": 3}, "bounds `start`"),
        ({"branches": 0}, "a draft 1"),
    ],
)
def test_impossible_sizes_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Config(**wrong)
