"""The always-on detector. Its machinery runs here at the CPU key; the device itself only on a GPU."""

from __future__ import annotations

import time

import pytest
import torch

from perfkit.detectors import watch_cuda as module
from perfkit.detectors.evidence import Evidence, listening
from perfkit.detectors.interposer import available
from perfkit.detectors.watch_cuda import CudaWatch, watch_cuda

gpu = pytest.mark.gpu


@pytest.fixture
def cpu_as_device(monkeypatch):
    """Judge CPU tensors as if they were the device's."""
    monkeypatch.setattr(
        module.DeviceCall, "on_device", lambda self, value: isinstance(value, torch.Tensor)
    )
    monkeypatch.setattr(module.DeviceCall, "on_host", lambda self, value: False)


needs_interposer = pytest.mark.skipif(
    not available(), reason="torch.library.get_kernel came with torch 2.9"
)


def test_silent_on_operators_that_do_not_wait(cpu_as_device):
    evidence = Evidence()
    with watch_cuda("CPU"), listening(evidence):
        torch.ones(3).add(1).count_nonzero()
        torch.repeat_interleave(torch.ones(2), torch.tensor([1, 2]), output_size=3)
    assert evidence.records() == ()


@needs_interposer
def test_a_call_is_published_once_with_its_wait(cpu_as_device):
    evidence = Evidence()
    with watch_cuda("CPU"), listening(evidence):
        torch.ones(3)[
            torch.tensor([True, False, True])
        ]  # one mask: the nonzero inside is the same sync
        torch.repeat_interleave(torch.tensor([1, 2]))
    found = {sync.kind: sync for sync in evidence.records()}
    assert {kind: sync.count for kind, sync in found.items()} == {
        "mask_index": 1,
        "repeat_interleave": 2,
    }
    assert all(sync.blocked_ns and sync.blocked_ns > 0 for sync in found.values())
    assert found["mask_index"].op == "aten::index"


def test_without_classification_calls_pass(cpu_as_device):
    evidence = Evidence()
    with watch_cuda("CPU") as watch, listening(evidence):
        watch.classify = False
        torch.ones(1).item()
    assert evidence.records() == ()


def test_witnesses_confirm_or_are_evidence_themselves(cpu_as_device):
    evidence, watch = Evidence(), CudaWatch()
    watch._witnesses = True
    with listening(evidence):
        watch.around("aten::nonzero", lambda t: watch.witness(), (torch.ones(1),), {})
        watch.around("aten::nonzero", lambda t: None, (torch.ones(1),), {})
        watch.witness("device")
    assert (watch.confirmed, watch.unconfirmed, watch.unexplained) == (1, {"aten::nonzero": 1}, 1)
    assert sorted(s.kind for s in evidence.records()) == ["nonzero", "nonzero", "synchronize"]
    assert len(watch.notes()) == 2


@gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_waits_are_found_timed_and_confirmed():
    evidence = Evidence()
    x = torch.rand(1 << 20, device="cuda")
    with watch_cuda() as watch, listening(evidence):
        torch.cuda._sleep(20_000_000)
        began = time.perf_counter_ns()
        x.sum().item()
        waited = time.perf_counter_ns() - began
    found = {s.kind: s for s in evidence.records()}
    assert found["item"].count == 1 and watch.confirmed == 1
    assert found["item"].blocked_ns is not None and found["item"].blocked_ns > waited / 2


def _catalogued_operators() -> list[torch.Tensor]:
    """Forms of indexing and of the catalogue's operators whose arguments are easily mangled."""
    torch.manual_seed(0)
    x, mask, index = (
        torch.rand(4, 5, requires_grad=True),
        torch.rand(4, 5) > 0.5,
        torch.tensor([0, 2]),
    )
    out = [x[:, index], x[mask], x[None, index, :2], x[..., index], x[index, index]]
    for change in (
        lambda t: t.__setitem__((slice(None), index), 3.0),
        lambda t: t.__setitem__(mask, 0.0),
        lambda t: t.__setitem__(mask, x[mask]),
        lambda t: t.index_put_((index, index), torch.tensor(2.0), accumulate=True),
    ):
        changed = x * 1
        change(changed)
        out.append(changed)
    out += [torch.where(mask, x, 0.0), x.masked_fill(mask, torch.tensor(2.0))]
    out += [torch.repeat_interleave(x, torch.tensor([1, 2, 3, 4]), dim=0), torch.nonzero(mask)]
    out += [
        torch.bincount(torch.tensor([1, 2, 2]), minlength=5),
        torch.unique(torch.tensor([1, 2, 2])),
    ]
    out += [torch.normal(x.detach(), torch.ones(4, 5)), torch.linalg.eigh(torch.eye(3)).eigenvalues]
    out += [
        torch.multinomial(torch.rand(5), 3),
        torch.histc(x.detach(), 5),
        torch.eye(3).to_sparse().to_dense(),
    ]
    sum(o.sum() for o in out if o.requires_grad).backward()
    return [*out, x.grad]


def test_results_and_gradients_are_untouched():
    plain = _catalogued_operators()
    with watch_cuda("CPU"):
        watched = _catalogued_operators()
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))
