import pytest

from perfkit.workloads.ctr.__main__ import main, parse
from perfkit.workloads.ctr.config import CONFIGS


def test_a_short_run_prints_sizes_and_both_clocks(capsys):
    main(["--batches", "3", "--users", "4", "--layers", "1", "--device", "cpu"])
    out = capsys.readouterr().out
    assert "batches 3" in out
    assert "by the contest's timer" in out and "in all" in out


def test_a_run_that_cannot_be_scored_says_why(capsys):
    main(["--batches", "1", "--users", "1", "--layers", "1", "--device", "cpu", "--seed", "1"])
    assert "no score" in capsys.readouterr().out


def test_named_sizes_can_be_taken_and_changed():
    options = parse(["--config", "reported", "--vocab", "100", "--workers", "2"])
    config = options.config
    assert (config.users, config.vocab, config.layers, options.workers) == (50, 100, 8, 2)
    assert options.device.type in {"cpu", "cuda"}
    assert parse([]).config == CONFIGS["laptop"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "huge"], "invalid choice"),
        (["--width", "63"], "63 does not divide into 4 heads"),
        (["--experts", "1"], "1 experts are fewer"),
    ],
)
def test_impossible_sizes_are_refused_in_words(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        parse(arguments)
    assert message in capsys.readouterr().err
