"""What a caller could notice of a rewrite, and what not."""

from __future__ import annotations

import random

import pytest
import torch

from perfkit.rewrites._behaviour import compare


def make():
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(3, 4, requires_grad=True, generator=generator).clone(),), {"scale": 2.0}


def judged(before, after, **options):
    return compare(before, after, make, **options)


def found(x, scale):
    return (x * scale).sum(0)


def aspects(outcome):
    return [d.aspect for d in outcome.differences]


def test_the_same_function_is_exact():
    outcome = judged(found, found)
    assert (outcome.level(), outcome.differences) == ("exact", ())
    assert (outcome.compared, outcome.gradients) == (1, 1)


def test_random_numbers_drawn_alike_are_exact():
    def noisy(x, scale):
        return x + torch.rand(4) + random.random()

    assert judged(noisy, lambda x, scale: noisy(x, scale)).level(strict=True) == "exact"


def test_two_nans_are_the_same():
    assert judged(lambda x, scale: x / 0 * 0, lambda x, scale: x / 0 * 0).level() == "exact"


def test_the_generators_are_left_where_they_were():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    judged(found, found)
    assert torch.equal(torch.rand(1), expected)


def test_both_raising_alike_is_no_difference():
    def raises(x, scale):
        raise ValueError(f"{scale}")

    assert judged(raises, raises).level() == "exact"
    assert aspects(judged(found, raises)) == ["exception"]


def test_rounding_is_within_tolerance_and_more_is_different():
    near = judged(found, lambda x, scale: found(x, scale) * (1 + 1e-6))
    assert near.level() == "within tolerance"
    assert 0 < near.worst_error < 1e-5
    assert judged(found, lambda x, scale: found(x, scale) * 1.01).level() == "different"
    assert (
        judged(found, lambda x, scale: found(x, scale) * 1.01, tolerance=0.1).level() != "different"
    )


def test_the_first_element_that_differs_is_named_with_both_values():
    def wrong(x, scale):
        y = found(x, scale).clone()
        y[2] = 100.0
        return y

    first = judged(found, wrong).differences[0]
    assert (first.where, first.index, first.after) == ("result", (2,), "100.0")
    assert float(first.before) == pytest.approx(float(found(*make()[0], 2.0)[2]))


@pytest.mark.parametrize(
    ("after", "aspect"),
    [
        (lambda x, scale: found(x, scale).double(), "dtype"),
        (lambda x, scale: found(x, scale).detach(), "gradient"),
        (lambda x, scale: found(x, scale)[None], "value"),
        (lambda x, scale: (found(x, scale),) * 2, "value"),
        (lambda x, scale: None, "value"),
        (lambda x, scale: found(x.mul_(1.5), scale) / 1.5, "mutation"),
        (
            lambda x, scale: found(x, scale) + 0 * x.detach().sum() + (x - x.detach()).sum(0),
            "gradient",
        ),
    ],
)
def test_each_kind_of_difference_fails(after, aspect):
    outcome = judged(found, after)
    assert aspect in aspects(outcome)
    assert outcome.level() == "different"


def test_a_program_may_write_into_what_another_computed():
    assert judged(lambda x, scale: x.mul_(scale), lambda x, scale: x.mul_(scale)).level() == "exact"


def test_strides_and_random_use_are_told_and_fail_only_when_strict():
    def transposed(x, scale):
        torch.rand(1)
        return (x * scale).t().contiguous().t()

    outcome = judged(lambda x, scale: x * scale, transposed)
    assert sorted(aspects(outcome)) == ["random", "stride"]
    assert (outcome.level(), outcome.level(strict=True)) == ("exact", "different")


def test_a_gradient_is_named_by_its_argument():
    def sloped(x, scale):
        return found(x + (x - x.detach()), scale)

    (difference,) = judged(found, sloped).differences
    assert (difference.where, difference.index) == ("that of argument 0", (0, 0))
