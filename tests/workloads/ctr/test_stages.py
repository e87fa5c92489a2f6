from dataclasses import replace

import pytest
import torch

from perfkit.workloads.ctr.config import FAST
from perfkit.workloads.ctr.stages import (
    ALL_USERS,
    FASTEST,
    MEASURED,
    STAGES,
    end_to_end,
    end_to_end_counts,
    stage_configs,
)

SIZES = {"embedding_width": 16, "width": 64, "hidden": 64, "vocab": 2_000}
TINY = replace(MEASURED, users=12, test_users=0.5, median_rows=6.0, **SIZES)


def test_stages_add_up_to_every_exact_fast_option():
    last = stage_configs()[FASTEST]
    assert all(getattr(last, name) == value for name, value in FAST.items())
    assert not stage_configs()[ALL_USERS].only_test_users


def test_every_stage_predicts_what_was_found():
    for collating in (False, True):
        stages = end_to_end(TINY, collating)
        assert [form.name for form in stages.forms] == ["found", *STAGES]
        expected = stages.form("found").run(*stages.inputs)
        assert expected.numel() > 5
        for form in stages.forms:
            torch.testing.assert_close(form.run(), expected, rtol=0, atol=1e-6)
        assert stages.rows[FASTEST] < stages.rows[ALL_USERS] == stages.rows["found"]


@pytest.mark.slow
def test_eight_layers_ask_for_few_operators_and_wait_for_nothing():
    counted = end_to_end_counts()
    assert counted["found"].syncs == 130 and counted["found"].device_ops > 1100
    for name in (ALL_USERS, FASTEST):
        assert counted[name].syncs == 0
        assert counted[name].device_ops <= 300
