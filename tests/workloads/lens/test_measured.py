import pytest

from perfkit.workloads.lens.measured import configured, run

from .sizes import SMALL


def test_a_run_reports_both_times_and_what_was_compared():
    found = run(SMALL, "analytic", steps=4, samples=2)
    assert (found.loss, found.device, found.contexts) == ("analytic", "cpu", 8)
    assert 0 < found.pairs <= 2 * 6
    assert found.final_loss > 0
    assert min(found.forward_dispatch_ms, found.forward_completed_ms) > 0
    assert min(found.loss_dispatch_ms, found.loss_completed_ms) > 0


def test_found_and_fast_code_end_with_the_same_loss():
    slow, fast = (run(SMALL, name, steps=3).final_loss for name in ("slow_dict", "batched"))
    assert fast == pytest.approx(slow, rel=1e-4)


def test_settings_reach_the_run_and_its_loss():
    config = configured(SMALL, {"steps": 7, "rank_weight": 0.0})
    assert (config.steps, config.loss.rank_weight, config.tokens) == (7, 0.0, SMALL.tokens)


def test_unknown_names_are_refused():
    with pytest.raises(KeyError, match="stepz"):
        configured(SMALL, {"stepz": 7})
    with pytest.raises(KeyError):
        run("laptop", "zero_shortcut", steps=1)


def test_a_configuration_is_known_by_name():
    assert run("laptop", "analytic", steps=1, samples=2).contexts == 6
