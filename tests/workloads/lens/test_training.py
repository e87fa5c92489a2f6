from dataclasses import replace

import torch

from perfkit.workloads.lens.config import CONFIGS
from perfkit.workloads.lens.losses import LOSSES
from perfkit.workloads.lens.training import train

from .inputs import SMALL

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
    assert progress.forward_ms > 0 and progress.loss_ms > 0


def test_the_default_run_has_enough_steps_for_a_profiler():
    assert CONFIGS["laptop"].steps >= 30
