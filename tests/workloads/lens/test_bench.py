from __future__ import annotations

import pytest
import torch

from perfkit.rewrites.pairwise_preference_loss.config import Shape
from perfkit.workloads.lens.bench import OPTIONS, SIZES, configured, measure

CPU = torch.device("cpu")
SMALL = {"samples": "2", "tokens": "64", "tail": "16", "steps": "3"}


def test_forms_are_measured_and_counted_alike() -> None:
    found, fast = (measure({**SMALL, "loss": loss}, CPU) for loss in ("slow_dict", "analytic"))
    assert found.counts.syncs > 20 and fast.counts.syncs == 0
    assert fast.quality["final loss"] == pytest.approx(found.quality["final loss"], rel=1e-4)
    assert found.quality["mc/variants_total"] == fast.quality["mc/variants_total"]
    assert fast.completed_s and not fast.approximate


def test_a_stand_in_says_that_it_is_one() -> None:
    assert measure({**SMALL, "loss": "proxy"}, CPU).approximate


def test_settings_reach_the_run_and_the_loss() -> None:
    config = configured({"config": "reported", "variants": "4", "shape": "hinge", "margin": "0.3"})
    assert (config.tokens, config.variants) == (2048, 4)
    assert (config.loss.shape, config.loss.margin) == (Shape.HINGE, 0.3)


def test_the_loss_changes_the_way_and_not_the_problem() -> None:
    assert "loss" not in SIZES and "telemetry" not in SIZES
    assert {"samples", "margin", "config"} <= SIZES
    assert set(OPTIONS) >= SIZES


@pytest.mark.parametrize(
    "settings",
    [{"loss": "none"}, {"config": "huge"}, {"sample": "1"}, {"samples": "x"}, {"shape": "round"}],
)
def test_a_wrong_setting_is_a_value_error(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        measure(settings, CPU)
