"""What every generation of the lens loss must do; new ones join by being listed in LOSSES."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from perfkit.rewrites.pairwise_preference_loss.config import LossConfig, Shape
from perfkit.rewrites.pairwise_preference_loss.history import ScoreHistory

from .inputs import (
    LOSSES,
    PLAIN,
    SMALL,
    coarse,
    context,
    drawn,
    evaluate,
    fine,
    gradients,
    random_scores,
)

every_loss = pytest.mark.parametrize("name", sorted(LOSSES))

CONFIGS = {
    "default": LossConfig(),
    "hinge": LossConfig(shape=Shape.HINGE),
    "weights": LossConfig(collapse_weight=0.3, temperature=0.5, margin=0.4),
    "capped": LossConfig(max_pairs=2),
    "share": LossConfig(pairs_kept=0.4),
    "bare": PLAIN,
    "every term": LossConfig(coverage_weight=0.2, smoothed_budget_weight=0.3, kl_weight=0.1),
}


def scaled(samples, factor):
    """The same contexts with token losses further apart, so that deltas exceed 1."""
    return [[replace(c, token_loss=c.token_loss * factor) for c in sample] for sample in samples]


def same(found, expected, tolerance=1e-12):
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


# what must stay silent


@every_loss
def test_one_context_alone_gives_a_zero_without_gradient(name):
    samples = [[fine()]]
    result = evaluate(name, samples, random_scores(samples), LossConfig())
    assert result.loss.item() == 0 and not result.loss.requires_grad
    assert (result.pairs, result.telemetry) == (0, {})


@every_loss
def test_ties_ask_for_nothing_and_do_not_count(name):
    tied = [[fine(loss=1.0), coarse(1.0)]]
    result = evaluate(name, tied, random_scores(tied), LossConfig())
    assert (result.loss.item(), result.pairs) == (0, 0)

    samples = [[fine(loss=1.0), coarse(1.0), coarse(2.0)]]
    scores = random_scores(samples)
    with_tie = evaluate(name, samples, scores, LossConfig())
    assert with_tie.pairs == 1  # (0, 1) ties; coarse against coarse agrees everywhere
    assert gradients(with_tie, scores)[1].abs().max() == 0


@every_loss
def test_contexts_that_agree_everywhere_do_not_count_in_the_mean(name):
    agreeing = [fine(loss=1.0), fine(loss=3.0)]
    telling = [fine(loss=1.0), coarse(3.0)]
    scores = random_scores([agreeing, telling])
    both = evaluate(name, [agreeing, telling], scores, LossConfig())
    alone = evaluate(name, [telling], scores[1:], LossConfig())
    assert both.pairs == alone.pairs == 1
    same(both.loss, alone.loss)


@every_loss
def test_the_top_level_is_never_asked_to_collapse(name):
    better = context({0: 3} | dict.fromkeys(range(64, 80), 0), 1.0)
    worse = context(dict.fromkeys((0, 16, 32, 48), 2) | dict.fromkeys(range(64, 80), 0), 2.0)
    samples = [[better, worse]]
    assert evaluate(name, samples, random_scores(samples), LossConfig()).pairs == 0


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
@every_loss
def test_token_losses_get_no_gradient(name):
    samples = [[fine(loss=1.0), coarse(2.0)]]
    for one in samples[0]:
        one.token_loss.requires_grad_()
    evaluate(name, samples, random_scores(samples), LossConfig()).loss.backward()
    assert all(one.token_loss.grad is None for one in samples[0])


@every_loss
def test_nothing_is_kept_or_measured_unless_asked_for(name):
    samples = drawn()
    history = ScoreHistory()
    result = LOSSES[name](samples, random_scores(samples), SMALL.lods, PLAIN, history)
    assert result.pairs > 0
    assert (result.telemetry, history.previous, history.on_device) == ({}, {}, None)


# what must be asked for


@every_loss
def test_where_the_better_is_finer_an_entry_should_expand(name):
    samples = [[fine(loss=1.0), coarse(1.5)]]
    scores = random_scores(samples)
    result = evaluate(name, samples, scores, PLAIN)
    s = scores[0][1][0]
    same(result.loss, math.tanh(0.5) * F.softplus(-s))
    grad = gradients(result, scores)[1]
    assert grad[0] < 0 and grad[1:].abs().max() == 0


@every_loss
@pytest.mark.parametrize("loss_of_worse", [1.5, 4.0])
def test_where_the_better_is_coarser_the_whole_block_should_collapse(name, loss_of_worse):
    samples = [[coarse(1.0), fine(loss=loss_of_worse)]]
    scores = random_scores(samples)
    config = replace(PLAIN, collapse_weight=0.5, temperature=2.0)
    result = evaluate(name, samples, scores, config)
    delta = loss_of_worse - 1.0
    block = F.softplus(scores[0][1][:4] * max(1.0, delta) / 2.0)
    same(result.loss, 0.5 * math.tanh(delta) * block.mean())
    grad = gradients(result, scores)[1]
    assert (grad[:4] > 0).all() and grad[4:].abs().max() == 0


@every_loss
def test_a_block_of_blocks_collapses_as_one(name):
    better = context({0: 2} | dict.fromkeys(range(16, 32), 0), 1.0)
    worse = context(dict.fromkeys((0, 4, 8, 12), 1) | dict.fromkeys(range(16, 32), 0), 2.0)
    samples = [[better, worse]]
    scores = random_scores(samples)
    grad = gradients(evaluate(name, samples, scores, PLAIN), scores)[1]
    assert (grad[:4] > 0).all() and grad[4:].abs().max() == 0


@every_loss
def test_collapsing_wins_over_expanding(name):
    # overlapping entries, which cannot occur while contexts tile their tokens
    better = context({0: 2, 4: 0}, 1.0)
    worse = context({0: 1, 4: 1}, 2.0)
    samples = [[better, worse]]
    scores = random_scores(samples)
    assert (gradients(evaluate(name, samples, scores, PLAIN), scores)[1] > 0).all()


@every_loss
def test_the_hinge_is_flat_beyond_its_margin(name):
    samples = [[fine(loss=1.0), coarse(2.0)]]
    config = replace(PLAIN, shape=Shape.HINGE, margin=0.2)
    for value, slope in ((0.3, 0.0), (0.1, -math.tanh(1.0))):
        scores = [[torch.zeros(16, dtype=torch.float64), torch.full((13,), value).double()]]
        for s in scores[0]:
            s.requires_grad_()
        result = evaluate(name, samples, scores, config)
        assert gradients(result, scores)[1][0].item() == pytest.approx(slope)


@every_loss
def test_rank_and_budget_are_added_with_their_weights(name):
    better = context({0: 1} | dict.fromkeys(range(4, 16), 0), 1.0)
    worse = context(dict.fromkeys(range(8), 0) | {8: 1, 12: 1}, 2.0)
    samples = [[better, worse]]
    scores = random_scores(samples)
    plain = evaluate(name, samples, scores, PLAIN).loss
    s = scores[0][1]
    down, up = s[:4], s[8:]
    rank = F.relu(0.1 - (up.mean() - down.mean()))
    asked = F.relu(down).sum() + 4 * F.relu(up).sum()
    given = F.relu(-down).sum() + 4 * F.relu(-up).sum()
    budget = ((asked - given) / (asked + given + 1e-6)) ** 2
    assert rank > 0 and budget > 0
    same(evaluate(name, samples, scores, replace(PLAIN, rank_weight=0.5)).loss, plain + 0.5 * rank)
    same(
        evaluate(name, samples, scores, replace(PLAIN, budget_weight=0.1)).loss,
        plain + 0.1 * budget,
    )


@every_loss
def test_telemetry_says_how_scores_and_targets_agree(name):
    better = context({0: 1} | dict.fromkeys(range(4, 16), 0), 1.0)
    worse = context(dict.fromkeys(range(8), 0) | {8: 1, 12: 1}, 2.0)
    right = torch.tensor([-0.5] * 4 + [0.0] * 4 + [0.5, 0.5], dtype=torch.float64)
    scores = [[torch.zeros(13, dtype=torch.float64), right.requires_grad_()]]
    found = evaluate(name, [[better, worse]], scores, LossConfig()).telemetry
    assert found["agreement"] == 1.0
    assert found["correlation"] == pytest.approx(1.0)
    assert found["magnitude"] == pytest.approx(0.3)
    assert found["spread"] == pytest.approx(right.std(unbiased=False).item())


@every_loss
def test_scores_of_the_step_before_pull_only_with_a_weight(name):
    samples = drawn()
    scores = random_scores(samples)
    history = ScoreHistory()
    config = LossConfig(kl_weight=1.0)
    first = LOSSES[name](samples, scores, SMALL.lods, config, history).loss
    unchanged = LOSSES[name](samples, scores, SMALL.lods, config, history).loss
    same(unchanged, first, 1e-6)
    moved = [[(-s.detach()).requires_grad_() for s in sample] for sample in scores]
    without = evaluate(name, samples, moved, LossConfig()).loss
    pulled = LOSSES[name](samples, moved, SMALL.lods, config, history).loss
    assert pulled > without + 0.1


# what must not matter, and what must agree


@every_loss
def test_the_order_of_samples_and_of_contexts_does_not_matter(name):
    samples = drawn()
    scores = random_scores(samples)
    expected = evaluate(name, samples, scores, LossConfig(max_pairs=4))
    turned = [sample[::-1] for sample in samples[::-1]]
    turned_scores = [row[::-1] for row in scores[::-1]]
    found = evaluate(name, turned, turned_scores, LossConfig(max_pairs=4))
    same(found.loss, expected.loss)
    for a, b in zip(gradients(found, scores), gradients(expected, scores), strict=True):
        same(a, b)


@every_loss
def test_the_order_of_entries_does_not_matter(name):
    samples = drawn()
    scores = random_scores(samples)
    expected = evaluate(name, samples, scores, LossConfig())
    generator = torch.Generator().manual_seed(1)
    mixed, mixed_scores = [], []
    for sample, rows in zip(samples, scores, strict=True):
        orders = [torch.randperm(len(s), generator=generator) for s in rows]
        mixed.append(
            [
                replace(c, positions=c.positions[:, o], lods=c.lods[:, o])
                for c, o in zip(sample, orders, strict=True)
            ]
        )
        mixed_scores.append([s[o] for s, o in zip(rows, orders, strict=True)])
    found = evaluate(name, mixed, mixed_scores, LossConfig())
    same(found.loss, expected.loss)
    for a, b in zip(gradients(found, scores), gradients(expected, scores), strict=True):
        same(a, b)


@every_loss
def test_contexts_of_different_widths_are_compared_alike(name):
    wide, narrow = [fine(loss=1.0), coarse(2.0)], [fine(8, 1.0), coarse(3.0, tokens=8)]
    mixed = [[*wide, coarse(3.0, tokens=12)], narrow]
    scores = random_scores(mixed)
    pairs = [([mixed[0][0], mixed[0][i]], [scores[0][0], scores[0][i]]) for i in (1, 2)]
    pairs.append((narrow, scores[1]))
    each = [evaluate(name, [sample], [rows], LossConfig()).loss for sample, rows in pairs]
    found = evaluate(name, mixed, scores, LossConfig())
    assert found.pairs == 3
    same(found.loss, torch.stack(each).mean())


@every_loss
@pytest.mark.parametrize("factor", [1.0, 5.0])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_generation_equals_the_dictionary_one(name, config, factor):
    samples = scaled(drawn(), factor)
    scores = random_scores(samples)
    found = evaluate(name, samples, scores, config)
    expected = evaluate("slow_dict", samples, scores, config)
    wanted = gradients(expected, scores)
    assert max(g.abs().max() for g in wanted) > 1e-3  # an objective that asks for nothing is none
    assert found.pairs == expected.pairs > 0
    same(found.loss, expected.loss, 1e-12)
    for a, b in zip(gradients(found, scores), wanted, strict=True):
        same(a, b, 1e-12)
    assert found.telemetry == pytest.approx(expected.telemetry, abs=1e-7)


@every_loss
def test_what_a_step_remembers_is_the_same_for_every_generation(name):
    config = LossConfig(kl_weight=0.5, smoothed_budget_weight=0.3)
    ours, theirs = ScoreHistory(), ScoreHistory()
    for step, variants in enumerate((3, 3, 2)):  # fewer contexts: rows of the memory move
        samples = drawn(replace(SMALL, variants=variants), step)
        scores = random_scores(samples)
        found = LOSSES[name](samples, scores, SMALL.lods, config, ours).loss
        expected = LOSSES["slow_dict"](samples, scores, SMALL.lods, config, theirs).loss
        same(found, expected, 1e-6)  # the host keeps scores in single precision


@every_loss
def test_a_loss_that_is_not_finite_shows(name):
    silent = LossConfig(telemetry=False)
    for losses in ([1.0, math.inf], [math.inf, math.inf]):
        samples = [[fine(loss=losses[0]), coarse(losses[1])]]
        scores = [[-s for s in row] for row in random_scores(samples)]
        assert scores[0][1][0] < 0  # the wrong way, infinitely strongly
        assert not evaluate(name, samples, scores, silent).loss.isfinite()


@every_loss
def test_an_infinite_difference_that_is_met_costs_nothing(name):
    samples = [[fine(loss=1.0), coarse(math.inf)]]
    found = evaluate(name, samples, random_scores(samples), LossConfig(telemetry=False)).loss
    expected = evaluate("slow_dict", samples, random_scores(samples), LossConfig()).loss
    assert found.isfinite()
    same(found, expected)


@every_loss
def test_single_precision_scores_give_a_single_precision_loss(name):
    samples = drawn()
    exact = evaluate(name, samples, random_scores(samples), LossConfig()).loss
    rounded = evaluate(name, samples, random_scores(samples, torch.float32), LossConfig()).loss
    assert rounded.dtype == torch.float32
    assert rounded.item() == pytest.approx(exact.item(), rel=1e-5)
