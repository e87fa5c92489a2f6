"""Every exact option, alone and together, predicts what the program as found predicts."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.rewrites.block_diagonal_attention import REWRITE as ATTENTION
from perfkit.workloads.ctr.config import CHOICES, FAST, Config
from perfkit.workloads.ctr.data import Row
from perfkit.workloads.ctr.metrics import auc, pcoc
from perfkit.workloads.ctr.packing import PackedBatches, columns_of_users, pack
from perfkit.workloads.ctr.rewritten import (
    ATTENTION_FORMS,
    RewrittenRanker,
    found_state,
    from_checkpoint,
)

from .inputs import SMALL, batch_of, model_of, users_of

CONFIG = replace(SMALL, test_users=0.5, users=9, batches=1, max_rows=20)
TOLERANCE = 1e-6


@cache
def model():
    return model_of(CONFIG)


@torch.no_grad()
def found(users: list[list[Row]]) -> torch.Tensor:
    batch = batch_of(users)
    return torch.sigmoid(model()(batch))[batch.pred_mask]


@torch.no_grad()
def rewritten(users: list[list[Row]], config: Config) -> torch.Tensor:
    columns = columns_of_users(users, config.slots)
    batches = PackedBatches(columns, replace(config, users=100))
    ranker = RewrittenRanker(model(), config).eval()
    return torch.cat([torch.sigmoid(ranker(batch)) for batch in batches] or [torch.zeros(0)])


def skip_what_cannot_run_here(form: str) -> None:
    name = ATTENTION_FORMS.get(form, "")
    q = torch.zeros(2, 4, 16)
    reason = name and ATTENTION.form(name).unavailable(q, q, q, torch.tensor([0, 2]), [2])
    if reason:
        pytest.skip(reason)


ALONE = [
    *({"attention": form} for form in CHOICES["attention"][1:] if form != "flex"),
    *({"moe": form} for form in CHOICES["moe"][1:]),
    {"embedding": "fused"},
    {"segment_ids": "output_size"},
    {"only_test_users": True},
    {"cut_history": True},
    {"last_layer_test_rows": True},
]
TOGETHER = [
    FAST,
    {"attention": "sdpa", "last_layer_test_rows": True},
    {"attention": "per_user", "last_layer_test_rows": True, "cut_history": True},
    {"attention": "found", "segment_ids": "output_size", "last_layer_test_rows": True},
    {"moe": "dense", "attention": "per_user", "embedding": "fused"},
    {**FAST, "attention": "buckets", "moe": "dense"},
    {**FAST, "attention": "sdpa", "moe": "sorted"},
]


def named(options: dict) -> str:
    return "-".join(f"{name}={value}" for name, value in options.items())


@pytest.mark.parametrize("options", [*ALONE, *TOGETHER], ids=named)
def test_an_exact_option_predicts_what_was_found(options):
    skip_what_cannot_run_here(options.get("attention", "found"))
    users = [users_of(CONFIG)[0], [], *users_of(CONFIG)[1:]]
    config = replace(CONFIG, **options)
    assert config.exact
    expected = found(users)
    assert len(expected) > 5
    torch.testing.assert_close(rewritten(users, config), expected, rtol=0, atol=TOLERANCE)


def any_of(*names: str) -> dict:
    return {name: st.sampled_from(CHOICES[name]) for name in names}


@settings(max_examples=30, deadline=None)
@given(
    options=st.fixed_dictionaries(
        {
            "attention": st.sampled_from(["found", "sdpa", "per_user", "buckets", "auto"]),
            **any_of("moe", "embedding", "segment_ids"),
            "only_test_users": st.booleans(),
            "cut_history": st.booleans(),
            "last_layer_test_rows": st.booleans(),
        }
    ),
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5),
    data=st.data(),
)
def test_exact_options_in_any_combination_on_any_users(options, lengths, data):
    pool = users_of(CONFIG)
    users = [
        [replace(row, is_test=data.draw(st.booleans())) for row in pool[number][:length]]
        for number, length in enumerate(lengths)
    ]
    mine = rewritten(users, replace(CONFIG, **options))
    torch.testing.assert_close(mine, found(users), rtol=0, atol=TOLERANCE)


def other_signs(row: Row) -> Row:
    return replace(row, signs={slot: [i + 1 for i in bag] for slot, bag in row.signs.items()})


FASTEST = replace(CONFIG, **FAST)


def with_test_row(number: int) -> list[Row]:
    user = users_of(CONFIG)[number]
    return [*user[:-1], replace(user[-1], is_test=True)]


def test_users_do_not_reach_each_other():
    first, second = with_test_row(0), with_test_row(1)
    alone = rewritten([second], FASTEST)
    together = rewritten([first, second], FASTEST)[-len(alone) :]
    changed = rewritten([list(map(other_signs, first)), second], FASTEST)[-len(alone) :]
    torch.testing.assert_close(together, alone, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(changed, alone, rtol=0, atol=TOLERANCE)


def test_later_rows_do_not_reach_earlier_ones_and_earlier_ones_do_later():
    user = [replace(row, is_test=index == 4) for index, row in enumerate(users_of(CONFIG)[0])]
    before = rewritten([user], FASTEST)
    later = rewritten([[*user[:5], *map(other_signs, user[5:])]], FASTEST)
    earlier = rewritten([[other_signs(user[0]), *user[1:]]], FASTEST)
    torch.testing.assert_close(later, before, rtol=0, atol=TOLERANCE)
    assert (earlier - before).abs().min() > 1e-6


def test_how_users_are_batched_does_not_matter():
    users = [with_test_row(number) for number in range(4)]
    together = rewritten(users, FASTEST)
    apart = torch.cat([rewritten([user], FASTEST) for user in users])
    torch.testing.assert_close(together, apart, rtol=0, atol=TOLERANCE)


def test_ids_beyond_the_table_follow_the_policy():
    user = with_test_row(0)
    beyond = [replace(row, signs={2: [CONFIG.vocab + 7]}) for row in user]
    nearest = [replace(row, signs={2: [CONFIG.vocab - 1]}) for row in user]
    remainder = [replace(row, signs={2: [7]}) for row in user]
    modulo = replace(FASTEST, id_policy="modulo")
    assert torch.equal(rewritten([beyond], FASTEST), rewritten([nearest], FASTEST))
    assert torch.equal(rewritten([beyond], modulo), rewritten([remainder], modulo))
    assert not torch.equal(rewritten([beyond], modulo), rewritten([beyond], FASTEST))


def test_parameters_are_those_of_the_network_as_found():
    ranker = RewrittenRanker(model(), FASTEST)
    assert ranker.encoder.found.table.weight is model().encoder.table.weight
    assert ranker.layers[0].attention.found.qkv.weight is model().layers[0].attention.qkv.weight


def test_a_checkpoint_of_the_program_as_found_goes_in_and_comes_out():
    state = model().state_dict()
    ranker = from_checkpoint(state, FASTEST)
    users = [with_test_row(0)]
    batch = pack(columns_of_users(users, CONFIG.slots), torch.arange(1), FASTEST)
    with torch.no_grad():
        mine = torch.sigmoid(ranker(batch))
    torch.testing.assert_close(mine, found(users), rtol=0, atol=TOLERANCE)
    again = found_state(ranker)
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], state[name]) for name in state)


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "bfloat16"},
        {"precision": "float16"},
        {"precision": "bfloat16", "attention": "per_user", "keep_float32": ("gate",)},
        {"merge_experts": 0.999},
    ],
    ids=named,
)
def test_an_approximate_option_moves_results_a_little_and_quality_less(options):
    config = replace(CONFIG, **{**FAST, **options})
    users = [[replace(row, is_test=True) for row in user] for user in users_of(CONFIG)]
    labels = [row.label for user in users for row in user]
    expected, mine = found(users), rewritten(users, config)
    assert not config.exact
    assert abs(auc(labels, mine.numpy()) - auc(labels, expected.numpy())) < 2e-3
    assert pcoc(labels, mine.numpy()) == pytest.approx(pcoc(labels, expected.numpy()), rel=2e-2)


def test_half_precision_leaves_the_found_network_as_it_was():
    RewrittenRanker(model(), replace(FASTEST, precision="bfloat16"))
    assert all(p.dtype == torch.float32 for p in model().parameters())


def test_a_logit_shift_moves_every_logit_by_the_same():
    users = [with_test_row(0), with_test_row(1)]
    shifted = rewritten(users, replace(FASTEST, logit_shift=0.25))
    expected = torch.sigmoid(torch.logit(found(users)) + 0.25)
    torch.testing.assert_close(shifted, expected, rtol=0, atol=1e-5)


def test_merged_experts_count_twice_where_both_choices_became_one():
    config = replace(CONFIG, moe="found", merge_experts=1e-6)  # all experts alike enough
    twins = model_of(CONFIG)
    for layer in twins.layers:
        for expert in layer.moe.experts:
            expert.load_state_dict(layer.moe.experts[0].state_dict())
    users = [with_test_row(0)]
    batch = batch_of(users)
    with torch.no_grad():
        expected = torch.sigmoid(twins(batch))[batch.pred_mask]
        columns = columns_of_users(users, config.slots)
        ranker = RewrittenRanker(twins, config).eval()
        mine = torch.sigmoid(ranker(pack(columns, torch.arange(1), config)))
    assert ranker.layers[0].moe.up.shape[0] == 1
    torch.testing.assert_close(mine, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.slow
def test_compiled_predicts_what_was_found():
    users = [with_test_row(number) for number in range(3)]
    config = replace(FASTEST, compiled=True)
    ranker = RewrittenRanker(model(), config).eval()
    ranker.compile(dynamic=True)
    columns = columns_of_users(users, config.slots)
    with torch.no_grad():
        try:
            mine = torch.sigmoid(ranker(pack(columns, torch.arange(3), config)))
        except torch._inductor.exc.InductorError as error:
            pytest.skip(f"no working compiler here: {str(error)[:80]}")
    torch.testing.assert_close(mine, found(users), rtol=0, atol=TOLERANCE)
