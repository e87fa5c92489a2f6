from dataclasses import FrozenInstanceError, fields

import pytest

from perfkit.workloads._settings import with_settings
from perfkit.workloads.ctr.config import CHOICES, CONFIGS, FAST, HOW, Config


def test_configurations_are_named_and_frozen():
    assert set(CONFIGS) == {"fast", "laptop", "reported"}
    with pytest.raises(FrozenInstanceError):
        CONFIGS["laptop"].layers = 1


def test_the_reported_sizes_are_the_contests():
    reported = CONFIGS["reported"]
    assert (reported.users, reported.vocab, reported.slots) == (50, 5_000_000, 28)
    assert (reported.layers, reported.experts, reported.top_k) == (8, 8, 2)
    assert reported.slots * reported.embedding_width == 14_336


def test_the_default_is_the_program_as_found():
    assert Config().as_found and CONFIGS["reported"].as_found and Config().exact
    assert Config(synced_timer=True).as_found
    assert all(CHOICES[name][0] == getattr(Config(), name) for name in CHOICES)


@pytest.mark.parametrize("name", sorted(FAST))
def test_every_fast_option_alone_makes_another_program_that_is_exact(name):
    changed = with_settings(Config(), {name: FAST[name]})
    assert not changed.as_found and changed.exact


def test_fast_is_the_laptop_with_every_exact_option():
    fast = CONFIGS["fast"]
    assert fast.exact and not fast.as_found
    assert all(getattr(fast, f.name) == f.default for f in fields(Config) if f.name not in HOW)


@pytest.mark.parametrize(
    "settings",
    [
        {"id_policy": "modulo"},
        {"precision": "bfloat16", "moe": "sorted", "embedding": "fused"},
        {"merge_experts": 0.98},
        {"logit_shift": 0.1},
    ],
)
def test_what_changes_results_is_not_called_exact(settings):
    assert not with_settings(Config(), settings).exact


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="heads"):
        Config(width=30, heads=4)
    with pytest.raises(ValueError, match="fewer"):
        Config(experts=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attention": "fast"}, "attention is one of found, sdpa"),
        ({"atention": "sdpa"}, "there is no setting 'atention'; there are: seed"),
        ({"layers": "two"}, "layers takes a int"),
        ({"only_test_users": "maybe"}, "only_test_users takes a bool"),
        ({"keep_float32": "gate,tail"}, "'tail'"),
        ({"precision": "float16"}, "half precision needs"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_what_can(settings, message):
    with pytest.raises(ValueError, match=message):
        with_settings(Config(), settings)


def test_text_is_read_as_the_fields_own_type():
    settings = {
        "layers": "2",
        "sigma": "0.5",
        "moe": "sorted",
        "only_test_users": "TRUE",
        "cut_history": "0",
        "keep_float32": "gate,head",
        "multi_valued": "2,3",
        "merge_experts": "0.9",
    }
    config = with_settings(Config(), settings)
    assert (config.layers, config.sigma, config.moe) == (2, 0.5, "sorted")
    assert (config.only_test_users, config.cut_history) == (True, False)
    assert (config.keep_float32, config.multi_valued) == (("gate", "head"), (2, 3))
    assert config.merge_experts == 0.9
    assert with_settings(config, {"merge_experts": "none"}).merge_experts is None
