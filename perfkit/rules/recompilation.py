"""A function is compiled again and again, because something it was compiled for keeps changing.

What it does
    Counts the versions that torch.compile made of each code object, and which guard failed before
    each. Speaks up where two and more were made in steps that should only have run (bare, light or
    after the measurement), where there are four and more in all, or where torch reached its limit
    (8 by default) and runs the function uncompiled from then on. Versions in deep steps do not
    exist: compiled code runs uncompiled there.

Why it hurts
    Compiling takes seconds where a step takes milliseconds, and every version adds guards that each
    call checks. Past the limit the function is slower than ever: Python, plus the guards.

How the saving is estimated
    The time that steps spent compiling, over the steps that ran by themselves: all of it is high,
    half of it likely, and low is nothing, as a longer run may have seen all its cases. Where nothing
    was compiled after the warm-up there is no estimate: what a function loses that runs uncompiled
    was not measured.

When not to act
    When a single further version appears once, for the last small batch or for evaluation: torch makes
    the size symbolic and is done. When few cases exist and all of them are compiled by now.
"""

from __future__ import annotations

from perfkit.analysis.compile_record import CompiledCode, Guard, compiled_code
from perfkit.base import units
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.run import Run
from perfkit.rules import _places
from perfkit.rules._engine import Looked

_LATE = 2
_MANY = 4
_SHARES = (0.0, 0.5, 1.0)
_METHOD = "time spent compiling per step that ran by itself, of which none, half and all goes"

_FIXES = {
    "shape": "Mark the size that changes (torch._dynamo.mark_dynamic(x, 0)) or compile with "
    "dynamic=True; else pad to a few sizes",
    "value": "Take the Python value out of the compiled function, or pass it as a tensor: every new "
    "value of it is compiled for",
    "type": "Call it with one type, dtype and device for this argument, or compile one function for each",
    "state": "Keep gradients, autocast and modes the same around the call, or compile one function for "
    "training and another for evaluation",
    "other": "Run with TORCH_LOGS=recompiles to see every guard that fails, and keep what it names "
    "constant",
}


def recompilation(run: Run) -> Looked:
    """One finding per code object.

    Raises:
        NotApplicable: nothing was compiled.
        NotObservable: nobody looked, or compiled code ran uncompiled.
    """
    codes = compiled_code(run)
    versions = sum(len(code.versions) for code in codes)
    at = f"{_plural(versions, 'version')} of {_plural(len(codes), 'compiled function')}"
    findings = tuple(_finding(code, run) for code in codes if _again(code))
    return Looked(at, findings)


def _plural(count: int, one: str) -> str:
    return f"{units.count(count)} {one}{'' if count == 1 else 's'}"


def _again(code: CompiledCode) -> bool:
    return code.late >= _LATE or len(code.versions) >= _MANY or code.refused is not None


def _finding(code: CompiledCode, run: Run) -> Finding:
    count = len(code.versions)
    times = "once" if count == 1 else f"{count} times"
    end = ", and then given up" if code.refused else ""
    because = _because(code.guards)
    return Finding(
        title=f"{code.name} is compiled {times}{end}{because}",
        place=code.place,
        code=_places.code_at(code.place),
        evidence={
            "versions": len(code.versions),
            "compile_ns": code.ns,
            "ns_per_version": _per_version(code),
            "late_versions": code.late,
            "late_ns": code.late_ns,
            "guard": code.guards[-1].text if code.guards else None,
            "guard_is_about": code.guards[-1].kind if code.guards else None,
            "argument": code.guards[-1].argument if code.guards else None,
            "given_up": code.refused is not None,
        },
        saving=_saving(code, run),
        fix=_FIXES[_main(code.guards)],
    )


def _per_version(code: CompiledCode) -> int | None:
    if code.ns is None or not code.versions:
        return None
    return round(code.ns / len(code.versions))


def _main(guards: tuple[Guard, ...]) -> str:
    """What fails most often."""
    kinds = [guard.kind for guard in guards]
    return max(kinds, key=kinds.count) if kinds else "other"


_ABOUT = {"shape": "the shape", "value": "the value", "type": "the type", "state": "the mode"}


def _because(guards: tuple[Guard, ...]) -> str:
    """`: the shape of x changes`; empty where torch did not say."""
    kind = _main(guards)
    if kind not in _ABOUT:
        return ""
    names = [guard.argument for guard in guards if guard.kind == kind and guard.argument]
    of = f" of {max(names, key=names.count)}" if names else ""
    return f": {_ABOUT[kind]}{of} changes"


def _saving(code: CompiledCode, run: Run) -> Saving | None:
    steps = sum(len(run.steps_measured(name)) for name in ("bare", "light", "after"))  # type: ignore[arg-type]
    if not code.late or code.late_ns is None or not steps:
        return None
    low, likely, high = (round(code.late_ns * share / steps) for share in _SHARES)
    return Saving(low, likely, high, _METHOD)
