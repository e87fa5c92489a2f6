"""graph-break: silent on whole graphs; each line once, with a fix by reason as torch words it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.compiler import Compilation, CompilerRecord, GraphBreak
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Gap, Run
from perfkit.model.syncs import Frame
from perfkit.rules.graph_break import graph_break
from tests.draw import draw

PLACE = Frame("/me/model.py", 7, "forward")
LINE = Frame("/me/model.py", 9, "forward")


def run(*reasons: str) -> Run:
    breaks = tuple(GraphBreak(reason, LINE, 0) for reason in reasons)
    record = CompilerRecord((Compilation("4/0", PLACE, 0, 1_000, 0),), breaks)
    return replace(draw("step  w.b.b", device="cpu"), compiler=record)


def found(*reasons: str) -> tuple[Finding, ...]:
    return graph_break(run(*reasons)).findings


def test_abstains_where_nothing_is_compiled_or_it_cannot_be_seen() -> None:
    with pytest.raises(NotApplicable):
        graph_break(replace(run(), compiler=CompilerRecord()))
    with pytest.raises(NotObservable, match="--device cpu"):
        graph_break(draw("step  bbb", device="pretend-cuda", gaps=(Gap("torch.compile", "x"),)))


def test_silent_on_whole_graphs() -> None:
    assert found() == ()


@pytest.mark.parametrize(
    ("reason", "kind", "fix"),
    [
        ("generic_jump TensorVariable()", "branch", "torch.where"),
        ("Data-dependent branching\n  Explanation: ...", "branch", "torch.cond"),
        ("Tensor.item", "read", "capture_scalar_outputs"),
        ("Unsupported Tensor.item() call with capture_scalar_outputs=False", "read", "tensor"),
        ("builtin: print [<class 'ConstantVariable'>] False", "print", "reorderable_logging"),
        (
            "Dynamic shape operator\n  Explanation: `aten.nonzero.default`",
            "shape",
            "nonzero_static",
        ),
        ("Attempted to call function marked as skipped", "other", "fullgraph=True"),
        ("Unsupported method call\n  Hint: Avoid print", "other", "TORCH_LOGS"),
    ],
)
def test_reasons_of_old_and_new_versions_of_torch(reason: str, kind: str, fix: str) -> None:
    (finding,) = found(reason)
    assert finding.evidence["kinds"] == kind
    assert fix in finding.fix
    assert finding.place == LINE
    assert finding.saving is None


def test_one_line_is_one_finding_and_what_is_not_counted_is_unknown() -> None:
    (finding,) = found("Tensor.item", "builtin: print", "Tensor.item")
    assert finding.title == (
        "The compiled graph breaks where a value is read on the host and something is printed or logged"
    )
    assert finding.evidence["per_step"] is None
