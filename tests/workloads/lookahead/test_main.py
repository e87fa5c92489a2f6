"""The command line."""

from __future__ import annotations

import pytest

from perfkit.workloads.lookahead.__main__ import main, parse

SHORT = ["--batches", "1", "--batch", "1", "--new-tokens", "4", "--device", "cpu"]


@pytest.mark.parametrize("form", ["found", "fast"])
def test_a_short_run_prints_acceptance_speed_and_both_clocks(form, capsys):
    main([*SHORT, "--form", form])
    out = capsys.readouterr().out
    assert "tokens 4" in out
    assert "acceptance" in out
    assert "tokens per second" in out
    assert "dispatched" in out and "completed" in out


def test_named_sizes_can_be_taken_and_changed():
    config = parse(["--config", "gpu", "--branches", "3", "--mode", "sampled"]).config
    assert (config.branches, config.main_layers, config.mode) == (3, 24, "sampled")


def test_impossible_sizes_are_refused_in_words(capsys):
    with pytest.raises(SystemExit, match="2"):
        parse(["--longest", "1"])
    assert "bounds `start`" in capsys.readouterr().err
