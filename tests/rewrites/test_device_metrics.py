"""Metrics on the device: what is undefined, what must not stall or leak, then numbers and waits."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.base.errors import PerfkitError
from perfkit.rewrites import device_metrics as room
from perfkit.rewrites._counting import count
from perfkit.rewrites.device_metrics import REWRITE, Auc, DeviceMetrics, found

nan, inf = float("nan"), float("inf")


def after(*steps: tuple[float, list[float], list[int]], auc: Auc = Auc.EXACT) -> DeviceMetrics:
    metrics = room.device_metrics(auc)
    for loss, logits, labels in steps:
        metrics.update(torch.tensor(loss), torch.tensor(logits), torch.tensor(labels))
    return metrics


def test_nothing_seen_is_unknown_and_not_zero():
    read = after().read()
    assert (read.steps, read.loss, read.accuracy, read.auc) == (0, None, None, None)


def test_no_examples_have_a_loss_and_no_accuracy():
    metrics = DeviceMetrics()
    metrics.update(torch.tensor(1.0), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    assert (metrics.read().loss, metrics.read().accuracy, metrics.read().auc) == (1, None, None)


@pytest.mark.parametrize("auc", Auc)
def test_labels_of_one_class_have_no_auc(auc):
    assert after((1.0, [0.5, -2.0], [1, 1]), auc=auc).read().auc is None


def test_different_shapes_are_refused():
    with pytest.raises(PerfkitError, match="differ"):
        DeviceMetrics().update(torch.tensor(0.0), torch.zeros(2), torch.zeros(3))


def test_different_kinds_cannot_be_merged():
    with pytest.raises(PerfkitError, match="merged"):
        DeviceMetrics(Auc.EXACT).merged(DeviceMetrics(Auc.HISTOGRAM))


def test_the_graph_of_a_step_is_not_kept():
    weight = torch.ones(2, requires_grad=True)
    metrics = DeviceMetrics()
    metrics.update((weight * 2).sum(), weight * 3, torch.tensor([0, 1]))
    assert not any(t.requires_grad for t in (metrics._sums.loss, *metrics._kept[0]))


@pytest.mark.parametrize("auc", [Auc.EXACT, Auc.HISTOGRAM])
def test_not_a_number_is_counted_and_left_out_of_the_auc(auc):
    read = after((1.0, [nan, -1.0, 2.0], [1, 0, 1]), auc=auc).read()
    assert (read.invalid, read.examples, read.auc) == (1, 3, 1.0)
    assert read.accuracy == pytest.approx(2 / 3)


@pytest.mark.parametrize("auc", [Auc.EXACT, Auc.HISTOGRAM])
def test_infinite_logits_are_the_outermost_ranks(auc):
    assert after((1.0, [-inf, 0.0, inf], [0, 0, 1]), auc=auc).read().auc == 1


def test_an_infinite_loss_shows():
    assert after((inf, [0.0], [1]), (1.0, [0.0], [1])).read().loss == inf


def test_low_precision_losses_do_not_stall():
    metrics = DeviceMetrics(Auc.NONE)
    one = torch.ones((), dtype=torch.bfloat16)
    for _ in range(600):
        metrics.update(one, one[None], one[None])
    assert (metrics.read().loss, metrics.read().examples, metrics.read().accuracy) == (1, 600, 1)


def test_a_float32_sum_keeps_what_rounding_took():
    total, plain = torch.zeros(2), torch.zeros(())
    for value in [1e8, *[0.25] * 1000, -1e8]:
        room._add(total, torch.tensor(value))
        plain += value
    assert float(plain) != 250
    assert float(total.sum()) == 250


def test_a_reset_forgets():
    metrics = after((1.0, [1.0, 0.0], [1, 0]))
    metrics.reset()
    assert metrics.read().steps == 0


@pytest.mark.parametrize("auc", Auc)
def test_merged_metrics_are_those_of_all_steps(auc):
    first, second = (1.0, [0.5, -2.0], [1, 0]), (2.0, [-3.0, 1.0, 0.1], [1, 1, 0])
    merged = after(first, auc=auc).merged(after(second, auc=auc))
    assert merged.read() == after(first, second, auc=auc).read()
    assert DeviceMetrics(auc).merged(DeviceMetrics(auc)).read().steps == 0


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=2),
        min_size=1,
        max_size=8,
    )
)
def test_any_steps_read_as_in_the_found_code(steps):
    logits = torch.tensor([[float(score) for score, _ in step] for step in steps])
    labels = torch.tensor([[int(label) for _, label in step] for step in steps])
    losses = torch.linspace(0, 1, len(steps))
    loss, accuracy, auc = found(losses, logits, labels)
    for form in REWRITE.forms:  # few distinct scores: one bin each, so the histogram is equal too
        read = form.run(losses, logits, labels)
        assert read[0] == pytest.approx(loss, rel=1e-12)
        assert read[1] == accuracy
        assert read[2] == pytest.approx(auc, rel=1e-12) if auc is not None else read[2] is None


@pytest.mark.parametrize("form", REWRITE.forms, ids=lambda form: form.name)
def test_one_wait_for_all_steps_instead_of_four_in_each(form):
    inputs = REWRITE.case("ties").make(0)
    assert count(REWRITE.reference, inputs).syncs == 4 * len(inputs[0])
    assert count(form, inputs).syncs == 1
