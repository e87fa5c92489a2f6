"""The found workloads under the pretend device: every sync at its line, counts exact."""

from __future__ import annotations

import linecache
from collections import Counter

import pytest
import torch

from perfkit.detectors.evidence import Evidence, listening
from perfkit.pretend import pretend_cuda
from perfkit.workloads.ctr import __main__ as ctr
from perfkit.workloads.lens import __main__ as lens


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def waits(main, *arguments: str) -> Counter:
    """Reads from the device by (function, statement), of a whole run of a workload."""
    evidence = Evidence()
    with pretend_cuda(), listening(evidence):
        main(list(arguments))
    found: Counter = Counter()
    for sync in evidence.records():
        if sync.direction == "d2h" and sync.site is not None:
            text = linecache.getline(sync.site.file, sync.site.line).strip()
            found[sync.kind, sync.site.function, text] += sync.count
    return found


def test_a_ctr_forward_asks_every_expert_of_every_layer_and_the_mask_once(capsys):
    one, two = (waits(ctr.main, "--batches", n) for n in ("1", "2"))
    forward = Counter({key: n for key, n in (two - one).items() if key[1] == "forward"})
    experts = {key: n for key, n in forward.items() if key[0] in ("item", "nonzero")}
    assert sorted(experts.values()) == [64, 64]
    assert any(".any()" in text for kind, _, text in experts if kind == "item")
    assert any("nonzero" in text for kind, _, text in experts if kind == "nonzero")
    assert sum((two - one)[key] for key in two if key[0] == "repeat_interleave") == 2


def test_the_lens_losss_hundreds_of_reads_are_a_few_lines(capsys):
    one, two = (waits(lens.main, "--steps", n) for n in ("2", "3"))
    step = two - one
    assert sum(step.values()) > 100
    assert len(step) < 20
