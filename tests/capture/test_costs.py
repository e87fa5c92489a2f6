"""The recorder of one deep step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from perfkit.capture import costs as costs_module
from perfkit.capture.costs import CostRecorder, call_of
from perfkit.capture.schedule import Limits
from perfkit.capture.session import Session, Settings
from perfkit.costs import _index
from perfkit.costs._call import Call, Cost, Operand
from perfkit.costs._signature import signature
from perfkit.detectors.evidence import Evidence
from perfkit.io import rundir
from perfkit.model.costs import OpCost
from perfkit.pretend import pretend_cuda

aten = torch.ops.aten


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@contextmanager
def recording(recorder: CostRecorder) -> Iterator[None]:
    """One deep step on the pretend device."""
    with pretend_cuda() as pretence:
        recorder.begin("pretend-cuda", pretence)
        yield
        recorder.end(counts=True)


def recorded(program: Callable[[], object]) -> tuple[OpCost, ...]:
    recorder = CostRecorder(Evidence())
    with recording(recorder):
        program()
    return recorder.rows()


def test_host_tensors_views_and_allocations_are_left_out() -> None:
    host = torch.ones(4, 4)

    def program() -> None:
        device = host.cuda()
        host + host
        torch.empty(3, device="cuda")
        device.t()[1:].add(1)

    assert [row.op for row in recorded(program)] == ["aten::add"]


def test_a_step_that_does_not_count_leaves_nothing_and_the_next_one_does() -> None:
    recorder = CostRecorder(Evidence())
    with pretend_cuda() as pretence:
        x = torch.ones(3, device="cuda")
        recorder.begin("pretend-cuda", pretence)
        x + 1
        recorder.end(counts=False)
        assert (recorder.rows(), recorder.steps) == ((), 0)
        assert pretence.record is None
        recorder.begin("pretend-cuda", pretence)
        x * 2
        recorder.end(counts=True)
        recorder.begin("pretend-cuda", pretence)
        assert pretence.record is None, "one step is enough"
        x - 3
    assert [row.op for row in recorder.rows()] == ["aten::mul"]
    recorder.drop()
    assert (recorder.rows(), recorder.steps) == ((), 0)


def test_our_own_work_between_steps_is_not_the_programs() -> None:
    evidence = Evidence()
    recorder = CostRecorder(evidence)
    with recording(recorder):
        x = torch.ones(3, device="cuda")
        evidence.paused = True
        x + 1
        evidence.paused = False
        x * 1
    assert [row.op for row in recorder.rows()] == ["aten::mul"]


def test_calls_alike_are_one_row_and_an_unknown_operator_is_not_zero() -> None:
    library = torch.library.Library("perfkit_cost_test", "FRAGMENT")
    library.define("odd(Tensor x) -> Tensor")
    library.impl("odd", lambda x: x.clone(), "CPU")

    def program() -> None:
        x = torch.ones(2, 8, device="cuda")
        for _ in range(3):
            x * 2.0
        torch.ops.perfkit_cost_test.odd(x)

    product, odd = recorded(program)
    assert (product.op, product.calls, product.flops, product.nbytes) == (
        "aten::mul",
        3,
        3 * 16,
        3 * 2 * 64,
    )
    assert product.signature == "f32[2,8]"
    assert (odd.op, odd.flops, odd.unknown) == (
        "perfkit_cost_test::odd",
        None,
        "no cost model for perfkit_cost_test::odd",
    )
    library._destroy()


def test_a_registered_operator_is_costed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_index, "_custom", {})
    _index.register_cost("perfkit_cost_test2::gate", lambda call: Cost(7, 8, 9))
    library = torch.library.Library("perfkit_cost_test2", "FRAGMENT")
    library.define("gate(Tensor x) -> Tensor")
    library.impl("gate", lambda x: x.clone(), "CPU")
    (row,) = recorded(lambda: torch.ops.perfkit_cost_test2.gate(torch.ones(2, device="cuda")))
    assert (row.flops, row.read, row.written) == (7, 8, 9)
    library._destroy()


def test_phases_are_forward_backward_and_other() -> None:
    evidence = Evidence()
    recorder = CostRecorder(evidence)
    with recording(recorder):
        weight = torch.ones(3, device="cuda", requires_grad=True)
        weight.detach() - 1
        recorder.settle("other")
        evidence.in_forward = True
        y = weight * 2
        evidence.in_forward = False
        loss = y.exp().sum()
        recorder.settle("forward")
        loss.backward()
        weight.detach().neg()
    phases = {(row.op.removeprefix("aten::"), row.phase) for row in recorder.rows()}
    assert phases >= {
        ("sub", "other"),
        ("mul", "forward"),
        ("exp", "forward"),
        ("mul", "backward"),
        ("neg", "other"),
    }


def test_the_region_and_the_line_are_told() -> None:
    evidence = Evidence()
    recorder = CostRecorder(evidence)
    with recording(recorder):
        evidence.region = "loss"
        torch.ones(3, device="cuda").exp()
    (row,) = recorder.rows()
    assert row.region == "loss"
    assert row.place is not None
    assert (row.place.file, row.place.function) == (
        __file__,
        "test_the_region_and_the_line_are_told",
    )


def test_keyword_arguments_stand_where_the_schema_has_them() -> None:
    x = torch.ones(2, 3, dtype=torch.float16)
    call = call_of(aten.add.Tensor, (x, x), {"alpha": 2}, x)
    assert call == Call("aten::add", (half(2, 3), half(2, 3), 2), (half(2, 3),))
    call = call_of(aten._to_copy.default, (x,), {"dtype": torch.int8, "non_blocking": True}, x)
    assert call.inputs == (half(2, 3), "int8", None, None, None, True)
    call = call_of(aten.cat.default, ([x, x], 0), {}, x)
    assert call.inputs == ((half(2, 3), half(2, 3)), 0)


def half(*shape: int) -> Operand:
    strides = torch.empty(shape).stride()
    return Operand(shape, "float16", tuple(strides))


def test_long_signatures_are_shortened() -> None:
    one = Operand((2,), "float32")
    assert signature(Call("aten::cat", ((one,) * 7,))) == (
        "f32[2] x f32[2] x f32[2] x f32[2] and 3 more"
    )
    assert signature(Call("aten::ones", ((2,),))) == ""


def test_a_compiled_program_is_not_run_uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs_module, "_compiles", lambda: True)
    recorder = CostRecorder(Evidence())
    recorder.begin("cuda", None)
    recorder.end(counts=True)
    assert recorder.steps == 0
    assert [gap.what for gap in recorder.gaps()] == ["FLOPs and bytes of operators"]


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.inference_mode])
def test_on_a_real_device_a_mode_of_our_own_sees_the_leaves(
    monkeypatch: pytest.MonkeyPatch, mode: Callable[[], object]
) -> None:
    monkeypatch.setattr(costs_module, "_on_cuda", lambda value: isinstance(value, Tensor))
    monkeypatch.setattr(costs_module, "_compiles", lambda: False)
    recorder = CostRecorder(Evidence())
    model, x = nn.Linear(3, 4), torch.ones(2, 3)
    recorder.begin("cuda", None)
    with mode():  # type: ignore[attr-defined]
        model(x).softmax(-1)
    recorder.end(counts=True)
    assert [(row.op, row.module) for row in recorder.rows()] == [
        ("aten::addmm", "Linear"),
        ("aten::_softmax", None),
    ]
    model(x)
    assert sum(row.calls for row in recorder.rows()) == 2, "nothing stays behind"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_forward_and_backward_are_costed_with_their_modules() -> None:
    model, x = nn.Linear(3, 4).cuda(), torch.ones(2, 3, device="cuda")
    recorder = CostRecorder(Evidence())
    recorder.begin("cuda", None)
    model(x).sum().backward()
    recorder.end(counts=True)
    products = [(row.op, row.module) for row in recorder.rows() if row.unit == "matmul"]
    assert products == [("aten::addmm", "Linear"), ("aten::mm", "Linear")]


def test_no_peaks_without_costs() -> None:
    assert CostRecorder(Evidence()).peaks("cpu") is None


def test_a_capture_costs_one_deep_step_with_every_call_that_it_counts(tmp_path: Path) -> None:
    def program() -> None:
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)).to("cuda")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(9):
            model(torch.ones(2, 4, device="cuda")).mean().backward()
            optimizer.step()

    settings = Settings(device="pretend-cuda", limits=Limits(steps=3, warmup=1))
    with rundir.reserved(tmp_path / "run") as directory:
        with Session(settings, directory) as session:
            program()
        run = session.finish("ran to its end", 0)
    assert run.costed_steps == 1
    assert sum(row.calls for row in run.costs) == run.launches_per_step
    assert {row.phase for row in run.costs} == {"forward", "backward", "other"}
    assert {row.module for row in run.costs} >= {"Sequential.0", "Sequential.2"}
    assert rundir.load(run.directory or tmp_path).costs == run.costs


class Conv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


class Bilinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(50, 16)
        self.weight = nn.Parameter(torch.rand(4, 16, 16))

    def forward(self, x: Tensor) -> Tensor:
        bags = self.table((x.abs() * 10).long().clamp(max=49).flatten(1))
        return torch.einsum("bi,gij,bj->bg", bags, self.weight, bags)


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (lambda: nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 4)), (6, 8)),
    "convolutions": (Conv, (2, 3, 17, 17)),
    "transformer": (
        lambda: nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True),
        (2, 7, 16),
    ),
    "recommender": (Bilinear, (5, 3)),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3), (2, 4, 9, 9)),
}


@pytest.mark.parametrize("name", MODELS)
def test_flops_of_products_are_those_of_torchs_counter_forward_and_backward(name: str) -> None:
    make, shape = MODELS[name]
    torch.manual_seed(0)
    model, x = make(), torch.rand(shape)

    def train(model: nn.Module, x: Tensor) -> None:
        model(x).pow(2).mean().backward()

    with FlopCounterMode(display=False) as counter:
        train(model, x)
    rows = recorded(lambda: train(make().cuda(), x.cuda()))
    counted = {f"aten::{packet.__name__}" for packet in flop_registry}  # not the CPU's attention
    assert sum(r.flops or 0 for r in rows if r.op in counted) == counter.get_total_flops()
    calls = sum(row.calls for row in rows)
    known = sum(row.calls for row in rows if row.flops is not None)
    assert known / calls > 0.95, {row.op for row in rows if row.flops is None}


def test_the_backward_of_a_depthwise_convolution_is_as_cheap_as_its_forward() -> None:
    """torch's counter takes the backward of a grouped convolution for one without groups."""
    model = nn.Conv1d(8, 8, 3, groups=8, padding=1)
    rows = recorded(lambda: model.cuda()(torch.rand(2, 8, 20).cuda()).sum().backward())
    forward, backward = (r.flops for r in rows if r.op.startswith("aten::convolution"))
    assert forward == backward == 2 * (2 * 8 * 20) * 3
