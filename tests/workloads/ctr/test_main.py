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
        (["--set", "moe=fast"], "moe is one of found, loop"),
        (["--set", "speed=1"], "there is no setting 'speed'"),
        (["--set", "moe"], "--set takes name=value"),
        (["--config", "fast", "--history", "absent.csv"], "there is no file absent.csv"),
        (["--history", "absent.csv"], "needs the rewritten program"),
    ],
)
def test_impossible_sizes_are_refused_in_words(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        parse(arguments)
    assert message in capsys.readouterr().err


SMALL = ("--batches", "3", "--users", "4", "--layers", "1", "--device", "cpu")


def test_options_are_set_by_name_and_the_last_one_counts():
    options = parse(
        ["--config", "fast", "--set", "moe=dense", "--set", "layers=2", "--set", "moe=loop"]
    )
    assert (options.config.moe, options.config.layers) == ("loop", 2)
    assert options.config.embedding == "fused"


def test_a_rewritten_run_prints_dispatch_and_completed_time(capsys):
    main([*SMALL, "--config", "fast", "--set", "test_users=0.6"])
    out = capsys.readouterr().out
    assert "dispatched in" in out and "completed in" in out and "in all" in out
    assert "approximate" not in out


def test_an_approximate_run_says_so(capsys):
    main([*SMALL, "--config", "fast", "--set", "precision=bfloat16"])
    assert "approximate" in capsys.readouterr().out


def test_rows_are_written_read_and_scored(capsys, tmp_path):
    rows = tmp_path / "rows.csv"
    sizes = [*SMALL, "--set", "test_users=0.6"]
    main([*sizes, "--write-history", str(rows)])
    assert f"rows in {rows}" in capsys.readouterr().out
    rows.write_bytes(rows.read_bytes() + b"no row\n")
    main([*sizes, "--config", "fast"])
    drawn = capsys.readouterr().out.splitlines()
    read = [*sizes, "--config", "fast", "--history", str(rows), "--truth", f"{rows}.truth"]
    for cached in (False, True):
        main([*read, "--cache", str(tmp_path / "cache")])
        out = capsys.readouterr().out
        assert "1 x row without its numbers skipped, first in line" in out
        assert ("from the cache" in out) is cached
        assert out.splitlines()[-1].split(", score")[0] == drawn[-1].split(", score")[0]


def test_a_form_that_cannot_run_here_ends_the_program_with_the_reason():
    with pytest.raises(SystemExit, match="flash attention needs CUDA"):
        main([*SMALL, "--config", "fast", "--set", "attention=varlen", "--set", "test_users=0.6"])
