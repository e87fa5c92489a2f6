"""A compiled function falls back to Python in the middle: its graph breaks.

What it does
    Lists each line at which torch.compile had to end a graph, with the compiler's reason: a value is
    read on the host, Python branches on a tensor, something is printed, or a call cannot be traced.
    How often per step it happens comes from the trace: entries into the compiled code that goes on
    after the line.

Why it hurts
    What stands on both sides is compiled apart: nothing is fused across the line, results go through
    memory in between, guards are checked once more, and each piece is launched by itself. A break
    that reads a value also makes the host wait. A CUDA graph cannot reach across it.

How the saving is estimated
    It is not: what fusing across the line would save depends on what stands there, and the wait is
    counted by host_wait_in_step. The finding is informative.

When not to act
    When the break lies between large pieces and happens once per step, or in code that runs rarely.
"""

from __future__ import annotations

from perfkit.analysis.compile_record import BrokenLine, broken_lines
from perfkit.base import units
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules import _places
from perfkit.rules._engine import Looked

_SHORT = 120
# (kind, words in torch's reason of any version, what happens there, what helps)
_KINDS = (
    (
        "branch",
        ("generic_jump", "data-dependent branching", "data-dependent jump"),
        "Python branches on a tensor",
        "Compute both sides and choose with torch.where, or use torch.cond",
    ),
    (
        "print",
        ("print", "logging", "logger"),
        "something is printed or logged",
        "Print outside the compiled function, or allow torch to move the call: "
        "torch._dynamo.config.reorderable_logging_functions.add(print)",
    ),
    (
        "read",
        ("tensor.item", ".item()", "tolist", "_local_scalar_dense", "scalar_outputs"),
        "a value is read on the host",
        "Keep it a tensor; where Python must have it, "
        "torch._dynamo.config.capture_scalar_outputs = True keeps the graph whole",
    ),
    (
        "shape",
        ("dynamic shape operator", "dynamic_output_shape", "nonzero", "unique", "masked_select"),
        "the size of a result depends on data",
        "Use a form with a known size (torch.where with three arguments, nonzero_static), or "
        "torch._dynamo.config.capture_dynamic_output_shape_ops = True",
    ),
)
_OTHER = (
    "other",
    "the compiler cannot trace a call",
    "Move the call out of the compiled function or make it a custom operator (torch.library.custom_op); "
    "fullgraph=True makes every break an error, TORCH_LOGS=graph_breaks explains it",
)


def graph_break(run: Run) -> Looked:
    """One finding per line.

    Raises:
        NotApplicable: nothing was compiled.
        NotObservable: nobody looked, or compiled code ran uncompiled.
    """
    lines = broken_lines(run)
    at = f"{len(lines)} lines at which compiled functions fall back to Python"
    return Looked(at, tuple(_finding(line) for line in lines))


def _finding(line: BrokenLine) -> Finding:
    kinds = [_kind(reason) for reason in line.reasons]
    named = [kind for kind in kinds if kind != _OTHER] or kinds[:1]
    told = list(dict.fromkeys(happens for _, happens, _ in named))
    often = "" if line.per_step is None else f", {units.count(round(line.per_step, 1))} per step"
    return Finding(
        title=f"The compiled graph breaks where {' and '.join(told)}{often}",
        place=line.place,
        code=_places.code_at(line.place),
        evidence={
            "kinds": ", ".join(dict.fromkeys(name for name, _, _ in named)),
            "reason": line.reasons[0].split("\n", 1)[0][:_SHORT],
            "per_step": line.per_step,
        },
        fix="; ".join(dict.fromkeys(fix for _, _, fix in named)),
    )


def _kind(reason: str) -> tuple[str, str, str]:
    """What happens and what helps, from the first line of torch's reason."""
    text = reason.split("Hint:", 1)[0].lower()
    for name, words, happens, fix in _KINDS:
        if any(word in text for word in words):
            return name, happens, fix
    return _OTHER
