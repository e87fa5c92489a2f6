from dataclasses import replace

import pytest
import torch

from perfkit.workloads.lens.config import CONFIGS
from perfkit.workloads.lens.contexts import draw_samples
from perfkit.workloads.lens.losses import LOSSES
from perfkit.workloads.lens.training import check_variants, telemetry, train

from .sizes import SMALL

CPU = torch.device("cpu")


def test_training_goes_on_when_no_pair_counts(capsys):
    config = replace(SMALL, variants=0, steps=2)
    progress = train(config, LOSSES["slow_dict"], CPU)
    assert progress.printed == [0.0, 0.0]
    assert "pairs 0" in capsys.readouterr().out


def test_training_lowers_the_loss(capsys):
    progress = train(replace(SMALL, steps=25), LOSSES["slow_dict"], CPU)
    assert progress.printed[-1] < 0.7 * progress.printed[0]
    assert capsys.readouterr().out.count("step ") == len(progress.printed) == 4
    assert len(progress.forward_ms) == len(progress.loss_ms) == 25
    assert min(progress.forward_ms + progress.loss_ms) > 0


def test_the_default_run_has_enough_steps_for_a_profiler():
    assert CONFIGS["laptop"].steps >= 30


def test_telemetry_has_the_names_of_the_report(capsys):
    progress = train(replace(SMALL, steps=2), LOSSES["analytic"], CPU)
    found = telemetry(progress)
    assert set(found) == {"mc/lens_forward_ms", "mc/lens_loss_ms", "mc/variants_total"}
    assert found["mc/variants_total"] == SMALL.samples * (1 + SMALL.variants)


def test_waiting_for_the_device_changes_no_result(capsys):
    runs = [
        train(replace(SMALL, steps=3, sync_timing=wait), LOSSES["analytic"], CPU).printed
        for wait in (False, True)
    ]
    assert runs[0] == runs[1]


def test_a_batch_with_other_contexts_than_asked_for_is_refused():
    samples = draw_samples(SMALL, 0)
    assert check_variants(samples, SMALL) == 12
    with pytest.raises(ValueError, match="1 to 3"):
        check_variants(samples, replace(SMALL, variants=2))
    with pytest.raises(ValueError):
        check_variants([*samples[:-1], []], SMALL)
