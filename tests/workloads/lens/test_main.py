import pytest

from perfkit.workloads.lens.__main__ import main, parse
from perfkit.workloads.lens.config import CONFIGS

SHORT = ["--steps", "2", "--samples", "2", "--tokens", "96", "--device", "cpu"]


@pytest.mark.parametrize("name", ["slow_dict", "slow_elem", "batched"])
def test_a_short_run_prints_the_loss_and_both_timers(name, capsys):
    main([*SHORT, "--loss", name])
    out = capsys.readouterr().out
    assert name in out
    assert "step    0  loss" in out
    for telemetry in ("mc/lens_forward_ms", "mc/lens_loss_ms", "mc/variants_total 6.00"):
        assert telemetry in out


def test_all_generations_print_the_same_losses(capsys):
    lines = []
    for name in ("slow_dict", "slow_elem", "pair_vec", "analytic"):
        main([*SHORT, "--loss", name])
        out = capsys.readouterr().out
        lines.append([line for line in out.splitlines() if line.startswith("step")])
    assert all(line == lines[0] for line in lines)


def test_the_dictionary_generation_at_laptop_size_is_the_default():
    options = parse([])
    assert (options.config, options.loss) == (CONFIGS["laptop"], "slow_dict")
    assert options.device.type in {"cpu", "cuda"}
    assert parse(["--config", "reported", "--steps", "3"]).config.steps == 3


def test_an_unknown_loss_is_refused_with_the_choices(capsys):
    with pytest.raises(SystemExit, match="2"):
        parse(["--loss", "zero"])
    assert "slow_elem" in capsys.readouterr().err


def test_the_timers_say_whether_they_wait(capsys):
    main(SHORT)
    assert "(without a wait)" in capsys.readouterr().out
    main([*SHORT, "--sync-timing"])
    assert "(after a wait for the device)" in capsys.readouterr().out
