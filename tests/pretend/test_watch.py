"""Judging, and whose line it is."""

from __future__ import annotations

import torch

from perfkit.detectors.evidence import Evidence, listening
from perfkit.pretend import pretend_cuda
from tests.pretend.watching import syncs


def test_a_sync_in_backward_is_charged_to_the_forward_line():
    def program():
        x = torch.rand(4, device="cuda", requires_grad=True)
        mask = torch.ones(4, dtype=torch.bool, device="cuda")
        picked = (x * 2)[mask]  # the line
        total = picked.sum()
        total.backward()

    found = {(s.kind, s.phase): s for s in syncs(program)}
    assert set(found) == {("mask_index", "other"), ("mask_index", "backward")}
    assert found["mask_index", "backward"].site == found["mask_index", "other"].site


def test_without_classification_nothing_is_published():
    evidence = Evidence()
    with pretend_cuda() as pretence, listening(evidence):
        pretence.classify = False
        torch.ones(1, device="cuda").item()
    assert evidence.records() == ()


def test_a_forward_operator_with_an_unknown_sync_in_backward_is_learned():
    class Reads(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            gradient.sum().item()  # the line
            return gradient * 2

    def program():
        Reads.apply(torch.ones(2, device="cuda", requires_grad=True)).sum().backward()

    (found,) = (s for s in syncs(program) if s.kind == "item")
    assert found.phase == "backward" and found.site.function == "backward"


def test_anomaly_detection_is_charged_to_the_backward_and_not_to_every_forward_line():
    def program():
        x = torch.ones(2, device="cuda", requires_grad=True)
        loss = (x * 2).exp().sum()
        with torch.autograd.detect_anomaly(check_nan=True):
            loss.backward()  # the line

    found = syncs(program)
    assert {s.kind for s in found} == {"anomaly_check"}
    assert len({s.site for s in found}) == 1 and sum(s.count for s in found) >= 3
