"""per-pair-loss: silent cases first, then exact numbers."""

from __future__ import annotations

import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Finding
from perfkit.rules.blocking_copies import blocking_copies
from perfkit.rules.host_wait_in_step import host_wait_in_step
from perfkit.rules.per_pair_loss import FIX_SAMPLES, per_pair_loss
from tests.draw import draw, item
from tests.sample_runs import ctr_run, lens_run
from tests.seeded import at, seeded

FILE = seeded(
    "/home/ada/train.py",
    """
    def contrastive_loss(scores):
        whole = scores.sum().item()
        total = 0
        for sample in scores:
            total += sample.mean().item()
        for layer in scores.layers:
            total += layer.norm().item()
        return total

    def predict(samples):
        for sample in samples:
            out = sample.item()

    def slow(scores):
        for sample in scores:
            got = sample.max().item()

    def fit(loss, model, scores):
        result = loss(scores, None)
        result = loss(slow(scores))
        values = slow(scores)

    def loss_epochs(loader):
        for batch in loader:
            print(batch.item())
    """,
)


def _found(line: str, times: int = 8) -> tuple[Finding, ...]:
    picture = f"step  {'d' * times}\nsync  {'i' * times}"
    return per_pair_loss(draw(picture, i=item(stack=(at(FILE, line),)))).findings


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("whole =", "not in a loop"),
        ("layer.norm()", "over layers, which are no samples"),
        ("out = sample.item()", "no loss"),
        ("print(batch", "the loop of the steps"),
    ],
)
def test_silent(line: str, why: str) -> None:
    assert _found(line) == (), why


@pytest.mark.parametrize("caller", ["result = loss(slow(", "values = slow("])
def test_silent_on_a_function_called_by_its_own_name_beside_a_loss(caller: str) -> None:
    stack = (at(FILE, "got =", "slow"), at(FILE, caller, "fit"))
    picture = f"step  {'d' * 8}\nsync  {'i' * 8}"
    assert per_pair_loss(draw(picture, i=item(stack=stack))).findings == ()


def test_a_loss_by_another_name_is_known_by_its_call() -> None:
    stack = (at(FILE, "got =", "slow"), at(FILE, "result = loss(scores", "fit"))
    picture = f"step  {'d' * 8}\nsync  {'i' * 8}"
    (finding,) = per_pair_loss(draw(picture, i=item(stack=stack))).findings
    assert finding.title.startswith("The loss goes sample by sample in slow: 8 synchronisations")


def test_silent_below_eight_per_step() -> None:
    assert _found("total += sample", times=7) == ()


def test_silent_on_the_ranking_model() -> None:
    assert per_pair_loss(ctr_run()).findings == ()


def test_it_does_not_apply_where_nothing_waits() -> None:
    with pytest.raises(NotApplicable):
        per_pair_loss(draw("step  dddd"))


def test_a_loss_over_samples_without_pairs_names_no_rewrite() -> None:
    (finding,) = _found("total += sample")
    assert finding.title == (
        "The loss goes sample by sample in contrastive_loss: 8 synchronisations per step (train.py:5)"
    )
    assert (finding.rewrite, finding.fix) == (None, FIX_SAMPLES)
    assert finding.place == at(FILE, "for sample in scores", "contrastive_loss")


def test_all_lines_of_the_lens_loss_are_one_finding_at_its_outermost_loop() -> None:
    (finding,) = per_pair_loss(lens_run()).findings
    assert str(finding.place).endswith("loss.py:9")
    assert finding.title.startswith(
        "The loss goes pair by pair in lens_loss: 494 synchronisations and 143 blocking copies"
    )
    assert finding.rewrite == "pairwise_preference_loss"
    parts = [*host_wait_in_step(lens_run()).findings, *blocking_copies(lens_run()).findings]
    assert {f.evidence["part_of"] for f in parts} == {"per-pair-loss at loss.py:9"}
    assert all(part.saving is None for part in parts)
    assert sum(part.evidence["per_step"] for part in parts) == 494 + 143
