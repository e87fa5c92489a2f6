from dataclasses import fields

import pytest
import torch

from perfkit.workloads.ctr.bench import OPTIONS, SIZES, measure
from perfkit.workloads.ctr.config import Config

CPU = torch.device("cpu")
SMALL = {"users": "4", "batches": "3", "layers": "1", "test_users": "0.6"}


def test_everything_that_can_be_set_is_told():
    assert set(OPTIONS) == {"config", *(f.name for f in fields(Config))}
    assert all(OPTIONS.values())
    assert {"users", "layers", "seed"} <= SIZES and "attention" not in SIZES


def test_a_configuration_is_timed_counted_and_judged():
    found = measure(SMALL, CPU)
    fast = measure({**SMALL, "config": "fast", "moe": "dense"}, CPU)
    assert found.counts.syncs > 3 * 16 and fast.counts.syncs == 1
    assert fast.quality["auc"] == pytest.approx(found.quality["auc"])
    assert 0 < fast.dispatch_s <= fast.completed_s
    assert fast.approximate == () and not fast.escaped


def test_what_is_approximate_says_what_changes():
    measured = measure({**SMALL, "config": "fast", "precision": "bfloat16"}, CPU)
    assert measured.approximate == ("computed in bfloat16",)


@pytest.mark.parametrize("settings", [{"config": "reported"}, {"speed": "1"}, {"moe": "best"}])
def test_what_cannot_be_set_is_refused(settings):
    with pytest.raises(ValueError, match=r"not|no setting"):
        measure(settings, CPU)


def test_a_form_that_cannot_run_here_is_one_failed_row_and_no_mistake():
    with pytest.raises(RuntimeError, match="needs CUDA"):
        measure({**SMALL, "config": "fast", "attention": "varlen"}, CPU)
