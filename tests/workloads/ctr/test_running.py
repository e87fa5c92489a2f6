from dataclasses import replace

import numpy as np
import pytest

from perfkit.workloads.ctr.config import FAST
from perfkit.workloads.ctr.metrics import cti2026_score
from perfkit.workloads.ctr.packing import columns_of_users
from perfkit.workloads.ctr.running import counts, counts_of_run, run

from .inputs import SMALL, users_of

CONFIG = replace(SMALL, test_users=0.5, batches=2)


def test_two_configurations_of_one_program_tell_the_same_probabilities():
    found, fast = run(CONFIG), run(CONFIG, **FAST)
    assert fast.logids.tolist() == found.logids.tolist()
    np.testing.assert_allclose(fast.probabilities, found.probabilities, rtol=0, atol=1e-6)
    assert fast.auc == pytest.approx(found.auc) and fast.pcoc == pytest.approx(found.pcoc, abs=1e-5)
    assert (found.batches, fast.rows < found.rows) == (2, True)
    assert found.exact and fast.exact


def test_both_clocks_and_the_memory_are_there():
    result = run(CONFIG, attention="sdpa")
    assert 0 < result.dispatch_s <= result.completed_s <= result.total_s
    assert result.peak.bytes is None or result.peak.bytes >= 0
    expected = cti2026_score(result.completed_s, result.auc, result.pcoc)
    assert result.contest_score == expected


def test_rows_of_ones_own_can_be_predicted_and_unknown_labels_leave_no_score():
    columns = columns_of_users(users_of(CONFIG), CONFIG.slots)
    blind = replace(columns, label=columns.label * float("nan"))
    result = run(CONFIG, columns=blind, moe="sorted")
    assert result.predicted == int(columns.asked.sum())
    assert (result.auc, result.pcoc, result.contest_score) == (None, None, None)


def test_the_program_as_found_takes_no_columns():
    columns = columns_of_users(users_of(CONFIG), CONFIG.slots)
    with pytest.raises(ValueError, match="as found"):
        run(CONFIG, columns=columns)


def test_an_unknown_setting_is_refused():
    with pytest.raises(ValueError, match="there is no setting 'mode'"):
        run("laptop", mode="fast")


def test_a_forward_as_found_waits_and_a_rewritten_one_does_not():
    found = counts(CONFIG)
    assert found.syncs == 2 * CONFIG.layers * CONFIG.experts + 2
    assert found.copies == 61
    fast = counts(CONFIG, **FAST)
    assert fast.syncs == 0 and fast.device_ops < found.device_ops / 3


@pytest.mark.parametrize(
    ("change", "syncs"),
    [({"segment_ids": "output_size"}, 0), ({"attention": "sdpa"}, 0), ({"embedding": "fused"}, 2)],
    ids=str,
)
def test_each_rewrite_removes_its_own_waits(change, syncs):
    experts = 2 * CONFIG.layers * CONFIG.experts
    assert counts(CONFIG, **change).syncs == experts + syncs


def test_a_whole_run_is_every_forward_and_the_reads_after_it():
    found, fast = counts_of_run(CONFIG), counts_of_run(replace(CONFIG, **FAST))
    forward = 2 * CONFIG.layers * CONFIG.experts + 2
    assert found.syncs >= CONFIG.batches * (forward + 3)
    assert fast.syncs == 1  # the results of both batches, read together
    assert fast.copies == 0
