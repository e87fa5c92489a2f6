"""What the recorder of the costed step sees of operands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from perfkit.capture.call_sites import Site
from perfkit.capture.costs import CostRecorder
from perfkit.capture.operands import OperandRecorder
from perfkit.detectors.evidence import Evidence, listening
from perfkit.model.operands import Operands
from perfkit.pretend import pretend_cuda

REAL = F.scaled_dot_product_attention


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def seen(program: Callable[[], object]) -> list[Operands]:
    """In one deep step on the pretend device; looking is nobody's synchronisation."""
    evidence = Evidence()
    recorder = CostRecorder(evidence)
    with pretend_cuda() as pretence, listening(evidence):
        pretence.classify = True
        recorder.begin("pretend-cuda", pretence)
        program()
        recorder.end(counts=True)
    assert F.scaled_dot_product_attention is REAL
    assert [sync for sync in evidence.records() if sync.direction != "h2d"] == []
    found = recorder.operands()
    assert found is not None
    return list(found)


def queries() -> torch.Tensor:
    return torch.ones(2, 4, 8, 4, device="cuda")


def causal() -> torch.Tensor:
    return torch.ones(8, 8, dtype=torch.bool, device="cuda").tril()


def kinds(rows: list[Operands]) -> list[tuple[str, str, int, int]]:
    return [(row.aspect, row.what, row.calls, row.repeated) for row in rows]


def _in_place(x: torch.Tensor) -> None:
    x.half()
    x.add_(1)
    x.half()


@pytest.mark.parametrize(
    "program",
    [
        lambda: F.scaled_dot_product_attention(*[queries()] * 3, is_causal=True),
        lambda: F.scaled_dot_product_attention(*[queries()] * 3, is_causal=True, dropout_p=0.5),
        lambda: (queries() @ queries().mT).softmax(-1),
        lambda: torch.full((1, 8, 8), float("-inf"), device="cuda").softmax(1),
        lambda: torch.full((2, 9), float("-inf"), device="cuda").softmax(-1),
        lambda: nn.Embedding(4, 2).cuda()(torch.ones(3, dtype=torch.long, device="cuda")),
        lambda: queries().contiguous().add(1),
        lambda: queries().clone(),
        lambda: queries().transpose(1, 2).clone(),
    ],
    ids=["a mask without a tensor", "the same by hand inside torch", "scores without a mask",
         "a softmax over something else", "words to sample from", "no padding index", "contiguous already",
         "a copy as it is", "a copy that keeps the order"],
)  # fmt: skip
def test_silent(program: Callable[[], object]) -> None:
    assert seen(program) == []


def test_nobody_looked_where_no_step_was_recorded() -> None:
    assert CostRecorder(Evidence()).operands() is None


def test_a_step_that_does_not_count_leaves_nothing() -> None:
    recorder = CostRecorder(Evidence())
    with pretend_cuda() as pretence:
        for counts in (False, True):
            recorder.begin("pretend-cuda", pretence)
            queries().half() if not counts else queries().add(1)
            recorder.end(counts)
    assert recorder.operands() == ()


@pytest.mark.parametrize("dropout", [0.0, 0.5], ids=["fused", "by hand inside torch"])
def test_the_mask_of_an_attention(dropout: float) -> None:
    def program() -> None:
        F.scaled_dot_product_attention(*[queries()] * 3, attn_mask=causal(), dropout_p=dropout)

    (row,) = seen(program)
    assert (row.op, row.what, row.shape) == ("scaled_dot_product_attention", "causal", (8, 8))
    assert row.share == 28 / 64
    assert row.place is not None
    assert row.place.file == __file__


def test_scores_masked_by_hand() -> None:
    def program() -> None:
        scores = (queries() @ queries().mT).masked_fill(~causal(), float("-inf"))
        scores.softmax(-1)

    (row,) = [row for row in seen(program) if row.aspect == "mask"]
    assert (row.op, row.what, row.shape) == ("aten::_softmax", "causal", (2, 4, 8, 8))


def test_attention_that_was_imported_by_name_is_seen_as_its_operator() -> None:
    (row,) = seen(lambda: REAL(*[queries()] * 3, attn_mask=causal()))
    assert (row.op.startswith("aten::_scaled"), row.what) == (True, "causal")


def test_padding_ids_of_an_embedding() -> None:
    def program() -> None:
        table = nn.Embedding(5, 2, padding_idx=0).cuda()
        table(torch.tensor([[1, 2, 0, 0], [3, 0, 0, 0]], device="cuda"))

    (row,) = [row for row in seen(program) if row.aspect == "padding"]
    assert (row.shape, row.looked, row.part, row.padded) == ((2, 4), 8, 5, 0.625)


def test_a_tensor_cast_again_counts_unless_it_changed_or_is_another() -> None:
    def program() -> None:
        x, weight = queries(), nn.Parameter(queries())
        for _ in range(3):
            x.half()
        _in_place(x.clone())
        queries().half()
        for _ in range(2):
            weight.to(torch.bfloat16)

    rows = [row for row in seen(program) if row.aspect == "cast"]
    assert [(row.calls, row.repeated, row.of_parameter) for row in rows] == [
        (3, 2, False),
        (1, 0, False),
        (1, 0, False),
        (1, 0, False),
        (2, 1, True),
    ]
    assert rows[0].nbytes == 3 * 256 * (4 + 2)


def test_there_and_straight_back_is_a_cast_for_nothing() -> None:
    def program() -> None:
        narrow = queries().half()
        narrow.float()

    assert kinds(seen(program)) == [
        ("cast", "float32 to float16", 1, 0),
        ("cast", "float32 to float16 and back", 1, 1),
    ]


def test_what_cannot_be_compared_is_not_read_and_harms_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(mask: torch.Tensor) -> None:
        raise NotImplementedError("no comparison for this dtype")

    monkeypatch.setattr("perfkit.capture.operands.mask_read", refuses)
    rows = seen(lambda: F.scaled_dot_product_attention(*[queries()] * 3, attn_mask=causal()))
    assert [row.what for row in rows] == ["not read"]


def test_copies_into_another_layout() -> None:
    def program() -> None:
        x = queries()
        x.transpose(1, 2).contiguous()
        x[:, :2].contiguous()
        x[:1].expand(3, -1, -1, -1).contiguous()
        x.to(memory_format=torch.channels_last)

    assert [row.what for row in seen(program)] == ["transposed", "a part", "expanded", "transposed"]


def test_on_a_real_device_no_value_is_read() -> None:
    recorder = OperandRecorder()
    with recorder.watching(reads=False), CostSpy(recorder):
        F.scaled_dot_product_attention(*[torch.ones(1, 1, 4, 4)] * 3, attn_mask=torch.ones(4, 4))
        torch.full((2, 4, 4), float("-inf")).softmax(-1)
    assert [(row.what, row.share) for row in recorder.rows()] == [("not read", None)]


class CostSpy(torch.utils._python_dispatch.TorchDispatchMode):
    """Hands every call to the recorder, as on a device."""

    def __init__(self, recorder: OperandRecorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        where = (Site(None, None), None, None)
        self.recorder.look(func.name().split(".", 1)[0], args, kwargs or {}, out, where)
        return out
