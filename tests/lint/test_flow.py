"""What is thought to lie where: the cases that must stay silent first, then those that must not."""

from __future__ import annotations

import textwrap

import pytest

from perfkit.lint._run import lint_text
from perfkit.lint._settings import Settings

IMPORTS = """\
import torch
import torch as t
import torch.nn.functional as F
from torch import Tensor, nn
from torch import where as pick
from torch.utils.data import DataLoader, Dataset


"""


def found(code: str, **settings: object) -> list[tuple[int, str]]:
    """(line within the code, code of the check) of every warning."""
    text = IMPORTS + textwrap.dedent(code)
    result = lint_text(text, "program.py", Settings(**settings))  # type: ignore[arg-type]
    before = IMPORTS.count("\n")
    return [(f.line - before, f.code) for f in result.findings if not f.code.startswith("PK2")]


SILENT = {
    "a data set works on the host": """\
        class Rows(Dataset):
            def __getitem__(self, n):
                row = torch.load(self.files[n])
                return row[row > 0], row.sum().item()
        """,
    "a collate function works on the host": """\
        def collate(rows: list[Tensor]):
            lengths = torch.tensor([len(row) for row in rows])
            return lengths.max().item(), lengths.tolist()
        """,
    "an optimizer's counters lie on the host": """\
        class Mine(torch.optim.Optimizer):
            def step(self):
                for group in self.param_groups:
                    step = self.state[group]["step"].item()
        """,
    "a constructor runs once": """\
        class Net(nn.Module):
            def __init__(self, levels: Tensor):
                super().__init__()
                self.size = levels.prod().item()
        """,
    "what is said in an exception is not said in every step": """\
        def check(x: Tensor):
            if x.dim() != 2:
                raise ValueError(f"got {x} of {x.sum().item()}")
        """,
    "the branch for the CPU does not touch the device": """\
        def check(x: Tensor):
            if x.device.type == "cpu":
                assert x.isfinite().all()
            if not x.is_cuda:
                assert x.isfinite().all()
        """,
    "every hundredth step may wait": """\
        def train(model, loader):
            for step, batch in enumerate(loader):
                loss = model(batch.to("cuda", non_blocking=True)).mean()
                if step % 100 == 0:
                    print(loss.item())
        """,
    "a tensor already there moves nowhere": """\
        def f(x: Tensor, y: Tensor):
            return x.to(y.device) + y.to(x)
        """,
    "numbers and shapes are no tensors": """\
        def f(x: Tensor, n: int, ratio: float = 0.5):
            rows, columns = x.shape
            if rows > n and ratio < 1 and x.size(0) == columns:
                return int(rows * ratio) + len(x)
        """,
    "a copy on the host is read there": """\
        def f(x: Tensor):
            y = x.detach().cpu()  # perfkit: allow PK106 wanted here
            return y.max().item(), y[y > 0].tolist()
        """,
    "the context of an autograd function holds what it was given": """\
        class Scale(torch.autograd.Function):
            @staticmethod
            def backward(ctx, grad: Tensor):
                return torch.zeros(ctx.rows + 1, device=grad.device)
        """,
    "a class of elsewhere is no tensor": """\
        class Net(nn.Module):
            def forward(self, request: Request):
                if request.ready != request.asked(3):
                    return None
        """,
}
FOUND = {
    "imports under other names": ("def f(x: t.Tensor):\n    return pick(x > 0)\n", [(2, "PK121")]),
    "a result of another function of the file": (
        """\
        def f(x: Tensor):
            if same(x):
                return x

        def same(x: Tensor):
            return (x == x[0]).all()
        """,
        [(2, "PK102")],
    ),
    "a method of the class, and an attribute from its constructor": (
        """\
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("ready", torch.tensor(False))
                self.scale = nn.Parameter(torch.ones(3))

            def forward(self, x):
                if self.ready:
                    return self.norm(x).item()

            def norm(self, x):
                return (x * self.scale).sum()
        """,
        [(8, "PK102"), (9, "PK101")],
    ),
    "a batch of a loader": (
        """\
        def train(model, data):
            loader = DataLoader(data, num_workers=2, pin_memory=True)
            for x, y in loader:
                loss = F.cross_entropy(model(x.cuda()), y.to("cuda"))
                total = loss.item()
        """,
        [(4, "PK141"), (4, "PK141"), (5, "PK101")],
    ),
    "a loop at module level": (
        "x = torch.ones(3, device='cuda')\nfor n in range(3):\n    print(x.sum())\n",
        [(3, "PK105")],
    ),
    "a parameter known by its use": (
        "def f(scores):\n    return scores.softmax(-1).max().item()\n",
        [(2, "PK101")],
    ),
    "an optional tensor": ("def f(x: Tensor | None):\n    return float(x.sum())\n", [(2, "PK103")]),
    "annotations as text": ("def f(x: 'Tensor'):\n    return x.tolist()\n", [(2, "PK104")]),
    "a nested function": (
        "def f(x: Tensor):\n    def g():\n        return x.max().item()\n    return g\n",
        [(3, "PK101")],
    ),
    "a comprehension": (
        "def f(xs: list[Tensor]):\n    return [float(x) for x in xs]\n",
        [(2, "PK103")],
    ),
    "a lightning step": (
        """\
        class Net(nn.Module):
            def training_step(self, batch, n):
                return batch['x'].sum().item()
        """,
        [(3, "PK101")],
    ),
}


@pytest.mark.parametrize("why", SILENT)
def test_silent_because(why):
    assert found(SILENT[why]) == []


@pytest.mark.parametrize("what", FOUND)
def test_found(what):
    code, expected = FOUND[what]
    assert found(code) == expected


def test_a_file_that_never_names_torch_is_left_alone():
    assert lint_text("def f(x):\n    return x.item()\n", "a.py").findings == ()


def test_functions_may_be_named_hot():
    code = "def advance(x: Tensor):\n    torch.cuda.synchronize()\n"
    assert found(code) == []
    assert found(code, hot=("advance",)) == [(2, "PK161")]


def test_what_runs_once_is_a_note_that_is_shown_when_asked_for():
    code = "x = torch.ones(3, device='cuda')\nprint(x.sum().item())\n"
    assert found(code) == []
    text = IMPORTS + code
    shown = lint_text(text, "program.py", Settings(everything=True)).findings
    assert [(f.code, f.level) for f in shown] == [("PK101", "note")]


def test_recursion_and_mutual_calls_end():
    assert found("def f(x: Tensor):\n    return g(x)\n\ndef g(x):\n    return f(x)\n") == []
