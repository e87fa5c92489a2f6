"""Segment ids: Hypothesis over lengths; what was found waits, what replaces it does not."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from perfkit.rewrites._counting import count
from perfkit.rewrites.segment_ids import REWRITE, found

every_form = pytest.mark.parametrize("form", REWRITE.forms, ids=lambda form: form.name)


@every_form
@given(lengths=st.lists(st.integers(0, 5), max_size=12))
def test_any_lengths_give_the_ids_of_the_found_code(form, lengths):
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    rows = sum(lengths)
    assert torch.equal(form.run(offsets, rows), found(offsets, rows))


@every_form
def test_no_form_waits_for_the_device(form):
    inputs = REWRITE.case("50 segments").make(0)
    assert count(REWRITE.reference, inputs).syncs == 2  # negative lengths, then the sum
    assert count(form, inputs).syncs == 0


def test_a_wrong_size_raises_on_a_cpu():
    with pytest.raises(RuntimeError):
        REWRITE.forms[0].run(torch.tensor([0, 2, 5]), 4)
