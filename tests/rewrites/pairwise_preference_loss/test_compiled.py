import shutil

import torch

from perfkit.rewrites.pairwise_preference_loss import REWRITE, compiled


def test_small_inputs_are_not_worth_a_compiler():
    assert "fewer than" in compiled.why_not(torch.zeros(10, 10))


def test_without_a_compiler_it_says_so(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "no C++ compiler" in compiled.why_not(torch.zeros(200, 200))


def test_one_context_needs_no_compiler():
    inputs = REWRITE.case("one context").make(0)
    assert compiled.compiled(*inputs).loss == 0


# that the compiled form is right is proven by tests/contracts/test_rewrites.py, once: it takes long
