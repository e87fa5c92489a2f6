"""What a program sees under the pretence, and what it must not notice."""

from __future__ import annotations

import copy
import threading

import pytest
import torch
from torch import nn

from perfkit.base.errors import PerfkitError
from perfkit.detectors.evidence import Evidence, listening
from perfkit.model.syncs import Sync
from perfkit.pretend import assume_moved, is_active, pretend_cuda


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def syncs(function) -> list[Sync]:
    evidence = Evidence()
    with pretend_cuda(), listening(evidence):
        function()
    return list(evidence.records())


def counts(function) -> dict[str, int]:
    found: dict[str, int] = {}
    for sync in syncs(function):
        found[sync.kind] = found.get(sync.kind, 0) + sync.count
    return found


def test_nothing_is_left_behind():
    before = (
        torch.zeros,
        torch.cuda.is_available,
        torch.Tensor.to,
        torch.Generator,
        torch.cuda.Event,
    )
    with pretend_cuda():
        assert torch.cuda.is_available() and is_active()
    after = (
        torch.zeros,
        torch.cuda.is_available,
        torch.Tensor.to,
        torch.Generator,
        torch.cuda.Event,
    )
    assert before == after
    assert not is_active() and torch.zeros(1).device.type == "cpu"
    assert "device" not in vars(torch.Tensor)


def test_two_pretences_at_once_are_refused():
    with pretend_cuda(), pytest.raises(PerfkitError, match="already active"), pretend_cuda():
        pass


def test_everything_is_put_back_after_an_exception():
    with pytest.raises(ZeroDivisionError), pretend_cuda():
        _ = 1 / 0
    assert not torch.cuda.is_available() or torch.version.cuda
    assert torch.zeros(1).device.type == "cpu"


def test_values_and_gradients_are_those_of_the_cpu():
    def loss_and_grad(device):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).to(device)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        x = torch.arange(12.0).reshape(3, 4).to(device)
        for _ in range(3):
            optimizer.zero_grad()
            loss = model(x).pow(2).mean()
            loss.backward()
            optimizer.step()
        return loss.item(), [p.grad.tolist() for p in model.parameters()]

    with pretend_cuda():
        pretended = loss_and_grad("cuda")
    assert pretended == loss_and_grad("cpu")


@pytest.mark.parametrize(
    ("expression", "device"),
    [
        ("torch.zeros(2)", "cpu"),
        ("torch.zeros(2, device='cuda')", "cuda:0"),
        ("torch.zeros(2, device=0)", "cuda:0"),
        ("torch.zeros(2).to('cuda')", "cuda:0"),
        ("torch.zeros(2).cuda()", "cuda:0"),
        ("torch.zeros(2).cuda().cpu()", "cpu"),
        ("torch.zeros(2).cuda()[:1].view(1).detach()", "cuda:0"),
        ("torch.zeros(2).cuda() + 1", "cuda:0"),
        ("torch.zeros(2).cuda().to(torch.float64)", "cuda:0"),
        ("torch.zeros(2).to(torch.zeros(1).cuda())", "cuda:0"),
        ("torch.zeros_like(torch.zeros(2).cuda())", "cuda:0"),
        ("torch.zeros_like(torch.zeros(2).cuda(), device='cpu')", "cpu"),
        ("torch.zeros(2).cuda().new_zeros(3)", "cuda:0"),
        ("torch.zeros(2).cuda().new_zeros(3, device='cpu')", "cpu"),
        ("torch.zeros(2).cuda().new_tensor([1.0])", "cuda:0"),
        ("torch.tensor([1, 2], device='cuda')", "cuda:0"),
        ("torch.as_tensor([1, 2])", "cpu"),
        ("torch.cuda.FloatTensor(3)", "cuda:0"),
        ("nn.Linear(2, 2, device='cuda').weight", "cuda:0"),
        ("nn.Linear(2, 2).cuda().weight", "cuda:0"),
        ("copy.deepcopy(nn.Linear(2, 2).cuda()).weight", "cuda:0"),
        ("copy.deepcopy(torch.zeros(2).cuda())", "cuda:0"),
        ("torch.rand(3, generator=torch.Generator('cuda'), device='cuda')", "cuda:0"),
        ("torch.empty(2, device='meta')", "meta"),
        ("torch.zeros(2).cuda().nonzero()", "cuda:0"),
        ("torch.combinations(torch.arange(3).cuda())", "cuda:0"),
        ("torch.nn.functional.one_hot(torch.arange(3).cuda(), 3)", "cuda:0"),
        ("torch.eye(3).cuda().to_sparse()", "cuda:0"),
    ],
)
def test_a_tensor_says_where_it_would_be(expression, device):
    with pretend_cuda():
        tensor = eval(expression, {"torch": torch, "nn": nn, "copy": copy})
        assert str(tensor.device) == device
        assert tensor.is_cuda == device.startswith("cuda")


def test_default_devices_are_followed():
    with pretend_cuda():
        with torch.device("cuda"):
            assert torch.zeros(1).is_cuda and nn.Linear(1, 1).weight.is_cuda
        assert not torch.zeros(1).is_cuda
        torch.set_default_device("cuda")
        assert torch.zeros(1).is_cuda and torch.get_default_device().type == "cuda"
        torch.set_default_device(None)
        assert not torch.zeros(1).is_cuda


def test_a_freed_storage_does_not_pass_its_tag_on():
    with pretend_cuda():
        for _ in range(300):
            torch.zeros(1000, device="cuda")
            assert not torch.zeros(1000).is_cuda


def test_threads_are_watched_too():
    def program():
        value = torch.ones(1, device="cuda")
        thread = threading.Thread(target=lambda: value.item())
        thread.start()
        thread.join()

    assert counts(program) == {"item": 1}


def test_streams_and_events_only_count_explicit_waits():
    def program():
        event, stream = torch.cuda.Event(enable_timing=True), torch.cuda.Stream()
        with torch.cuda.stream(stream):
            event.record()
        torch.cuda.current_stream().wait_stream(stream)
        stream.wait_event(event)
        event.synchronize()

    assert counts(program) == {"synchronize": 1}


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


def test_autocast_and_the_scaler_run():
    def program():
        model = nn.Linear(2, 2).cuda()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        scaler = torch.amp.GradScaler("cuda")
        with torch.autocast("cuda", dtype=torch.bfloat16):
            out = model(torch.ones(1, 2, device="cuda"))
        assert out.dtype == torch.bfloat16 and out.is_cuda
        scaler.scale(out.sum()).backward()
        scaler.step(optimizer)
        scaler.update()

    assert counts(program).get("grad_scaler") == 1


def test_mixing_devices_is_noted_not_fatal():
    with pretend_cuda() as pretence:
        torch.ones(2, device="cuda") + torch.ones(2)
        assert "mixes host and device" in pretence.notes()[0].what


def test_saving_and_loading_keep_the_device(tmp_path):
    with pretend_cuda():
        torch.save({"w": torch.arange(3.0).cuda()}, tmp_path / "a.pt")
        assert torch.load(tmp_path / "a.pt", map_location="cuda")["w"].is_cuda
        assert not torch.load(tmp_path / "a.pt", map_location="cpu")["w"].is_cuda
        assert torch.load(tmp_path / "a.pt", map_location="cuda")["w"].tolist() == [0.0, 1.0, 2.0]


def test_without_classification_nothing_is_published():
    evidence = Evidence()
    with pretend_cuda() as pretence, listening(evidence):
        pretence.classify = False
        torch.ones(1, device="cuda").item()
    assert evidence.records() == ()


def test_dispatched_counts_work_and_not_views():
    with pretend_cuda() as pretence:
        x = torch.ones(4, device="cuda")
        before = pretence.dispatched
        (x + 1).view(2, 2).t().mul(2)
        assert pretence.dispatched - before == 2


class TestMovedReading:
    """The `cpu` setting."""

    def run(self, function):
        evidence = Evidence()
        with assume_moved() as pretence, listening(evidence):
            function()
            assert pretence.notes() == ()
        return evidence.records()

    def test_host_only_work_is_silent(self):
        assert self.run(lambda: torch.arange(4).sum().item()) == ()

    def test_nothing_is_lied_about(self):
        def program():
            assert not torch.cuda.is_available() or torch.version.cuda
            assert nn.Linear(2, 2)(torch.ones(1, 2)).device.type == "cpu"

        assert self.run(program) == ()

    def test_what_a_parameter_touched_is_on_the_device_and_never_certain(self):
        model = nn.Linear(2, 1)

        def program():
            loss = model(torch.ones(3, 2)).mean()
            loss.backward()
            loss.item()
            loss.detach().cpu()

        found = {s.kind: s for s in self.run(program)}
        assert set(found) == {"item", "d2h"}
        assert not any(s.certain for s in found.values())


def test_tensors_that_dispatch_themselves_keep_their_place():
    with pretend_cuda():
        parts = [torch.rand(2, 3), torch.rand(1, 3)]
        nested = torch.nested.nested_tensor(parts, layout=torch.jagged, device="cuda")
        weight = torch.rand(3, 4, device="cuda", requires_grad=True)
        (nested @ weight).values().sum().backward()
        assert nested.is_cuda and weight.grad.is_cuda


def test_a_graph_capture_is_refused_rather_than_wrong():
    with pretend_cuda(), pytest.raises(NotImplementedError, match="cannot be imitated"):
        torch.cuda.CUDAGraph()


def test_loader_batches_are_pinned_and_travel_without_waiting():
    def program():
        data = torch.utils.data.TensorDataset(torch.rand(8, 2))
        for (batch,) in torch.utils.data.DataLoader(
            data, batch_size=4, pin_memory=True, num_workers=1
        ):
            assert batch.is_pinned() and batch.to("cuda", non_blocking=True).is_cuda

    assert counts(program) == {}
