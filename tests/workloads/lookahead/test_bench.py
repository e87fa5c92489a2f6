from __future__ import annotations

import pytest
import torch

from perfkit.workloads.lookahead.bench import OPTIONS, SIZES, measure

SMALL = {"batches": "1", "new_tokens": "6", "main_layers": "2"}


def test_forms_are_measured_and_counted_alike() -> None:
    found, fast = (measure({**SMALL, "form": f}, torch.device("cpu")) for f in ("found", "fast"))
    assert found.completed_s and fast.completed_s
    assert found.counts.syncs > 20
    assert fast.counts.syncs == 1  # the tokens themselves, once per batch
    assert 0 < found.quality["acceptance"] <= 1


def test_what_changes_the_problem_is_told_from_what_changes_the_way() -> None:
    assert "prompt" in SIZES and "form" not in SIZES
    assert set(OPTIONS) >= SIZES


@pytest.mark.parametrize("settings", [{"form": "slow"}, {"sice": "1"}, {"batch": "x"}])
def test_a_wrong_setting_is_a_value_error(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        measure(settings, torch.device("cpu"))
