"""The three sentences: what a step costs, why, what to do next. With numbers, or with the reason why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from perfkit.analysis.source import source_at
from perfkit.analysis.steps import typical_step
from perfkit.analysis.sync_points import nothing_placed
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.io._repairs import ENDS_EARLY
from perfkit.model.diagnosis import Finding, Outcome, Verdict
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.rules._monitored import monitored

Pair = tuple[str, Finding]

_WAIT, _COPY = "host-wait-in-step", "blocking-copies"
_FEW_GPUS = 3
_PLACED = {
    "pretend-cuda": "what the program puts there",
    "cpu": "what a parameter or the input of an nn.Module touches",
}
_PLACE = {
    "pretend-cuda": 'Put tensors there (device="cuda", .to("cuda")), or read the program as if moved: '
    "--device cpu.",
    "cpu": 'Create the tensors with device="cuda" and measure with --device pretend-cuda, or put the '
    "work into an nn.Module.",
}
"""What is on the device in settings without one, and what to do where nothing is."""
_WEIGHTS = {"certain": 1.0, "likely": 1.0, "low": 0.5}
_DOES = {
    "cuda": "it makes",
    "pretend-cuda": "on CUDA it would make",
    "cpu": "moved to CUDA, it would make",
}


def verdict(run: Run, outcomes: tuple[Outcome, ...]) -> Verdict:
    """The conclusion for people, from the outcomes alone and the typical step."""
    pairs = [(o.rule, f) for o in outcomes for f in o.findings]
    pairs.sort(key=lambda p: -(p[1].saving.likely_ns if p[1].saving else -1))
    if run.source == "monitor":
        return monitored(run, [finding for _, finding in pairs])
    what = _what(run, pairs)
    if pairs:
        return Verdict(what, _why(pairs) + _unplaced(run), _next(pairs))
    if nothing_placed(run):
        return Verdict(what, _unplaced(run).strip(), _PLACE[run.device])
    blind = [o for o in outcomes if o.state in ("not-observable", "error")]
    if all(o.state in ("not-observable", "error", "not-applicable") for o in outcomes):
        reasons = "; ".join(dict.fromkeys(o.reason or "unknown" for o in blind))
        return Verdict(what, f"Nothing could be checked: {reasons}.", _retry(run))
    clear = ", ".join(o.rule for o in outcomes if o.state == "clear")
    why = f"The checks that could look found nothing: {clear}."
    if blind:
        why += f" {len(blind)} could not look: {', '.join(o.rule for o in blind)}."
    return Verdict(what, why, "Nothing to change here; profile a longer or larger run to be sure.")


def _unplaced(run: Run) -> str:
    """That waits could not be seen because nothing was on the device, where so."""
    if not nothing_placed(run):
        return ""
    return (
        " No tensor counted as on the device, so nothing could be seen waiting for it: there is only "
        f"{_PLACED[run.device]}."
    )


def _what(run: Run, pairs: list[Pair]) -> str:
    return _cut_off(run) + _costs(run, pairs)


def _cut_off(run: Run) -> str:
    """That the trace is not all there, where so: every number is then of a part.

    The part is no stretch of time: Kineto writes operators first and the device's work last.
    """
    why = _missing_end(run)
    if why is None or not isinstance(run.events, Events):
        return ""
    read = units.count(len(run.events))
    return f"The trace is cut off after {read} events ({why}), and these numbers are of those. "


def _missing_end(run: Run) -> str | None:
    return next((gap.why for gap in run.gaps if gap.what in ENDS_EARLY), None)


def _costs(run: Run, pairs: list[Pair]) -> str:
    try:
        step = typical_step(run)
    except NotObservable:
        start = f"No complete step was measured; the program {_ended(run)}"
    else:
        start = f"A step takes {_duration(run, step.median_ns)}{_busy(run)}"
        if not run.ended.startswith(_CALM):
            start = f"The program ended with {run.ended}. {start}"
    waits, copies = _sum(pairs, _WAIT), _sum(pairs, _COPY)
    parts = []
    if waits:
        parts.append(_plural(waits, "host-device synchronisation", "host-device synchronisations"))
    if copies:
        parts.append(_plural(copies, "blocking copy", "blocking copies"))
    return f"{start}; {_DOES[run.device]} {' and '.join(parts)}." if parts else f"{start}."


def _busy(run: Run) -> str:
    """How much of it the device works, where a trace of a device shows it."""
    if not isinstance(run.events, Events) or run.device != "cuda":
        return ""
    idle = [each for each in trace_reading(run.events).idle if each.step_ns]
    busy = {each.device: 1 - each.total_ns / each.step_ns for each in idle}
    if len(busy) < 2:
        return "".join(f" with the GPU busy {units.share(share)} of it" for share in busy.values())
    if len(busy) > _FEW_GPUS:
        low, high = (units.share(pick(busy.values())) for pick in (min, max))
        return f" with its {len(busy)} GPUs busy {low} to {high} of it"
    told = [f"GPU {device} {units.share(share)}" for device, share in sorted(busy.items())]
    return f" with {' and '.join(told)} of it busy"


def _duration(run: Run, median_ns: int) -> str:
    """The step's time; under a pretence also what it would be without, where that can be told."""
    if run.device == "cuda":
        return units.ns(median_ns)
    if run.source == "trace":
        return f"{units.ns(median_ns)} on a CPU"
    own = run.overhead.get("pretence")
    if own is None:
        return f"{units.ns(median_ns)} on this CPU"
    return (
        f"about {units.ns(median_ns / own)} on this CPU ({units.ns(median_ns)} under the pretence)"
    )


def _worst(pairs: list[Pair]) -> list[Pair]:
    """The findings of the function that wastes most with one kind of finding: a loop, not a line.

    What is counted outweighs what was timed elsewhere or guessed: a saving of low confidence counts
    half. So a verdict under the pretence, where times are this CPU's and counts are the program's own,
    does not change with what else the CPU does. Findings are still listed by their likely saving alone.
    """
    groups: dict[tuple[str, str, str], list[Pair]] = defaultdict(list)
    for rule, finding in pairs:
        file = finding.place.file if finding.place else ""
        groups[rule, file, _owner(finding)].append((rule, finding))
    return max(groups.values(), key=lambda group: _weight(f for _, f in group))


def _why(pairs: list[Pair]) -> str:
    worst = _worst(pairs)
    rule, top = worst[0]
    if rule not in (_WAIT, _COPY):
        return f"{top.title}."
    total, mine = _sum(pairs, rule), _sum(worst, rule)
    lines = ", ".join(dict.fromkeys(_short(f) for _, f in worst[:3]))
    noun = "synchronisations" if rule == _WAIT else "blocking copies"
    if mine < total:
        share = f"{units.count(_round(mine))} of the {units.count(_round(total))} {noun}"
    else:
        share = "it" if _round(total) == 1 else f"all {units.count(_round(total))} {noun}"
    return f"{_owner(top)} makes {share} ({lines})."


def _next(pairs: list[Pair]) -> str:
    worst = [f for _, f in _worst(pairs)]
    top = next((f for f in worst if f.fix), worst[0])
    place = f"{_short(top)}: " if top.place else ""
    if top.fix:
        return f"{place}{top.fix.rstrip('.')}."
    return (
        f"{place}look at this line first; no ready advice is known for {top.evidence.get('ops')}."
    )


def _retry(run: Run) -> str:
    if run.source == "trace" and _missing_end(run) is not None:
        return (
            "Get the whole file: the device's work is written last, and this trace ends before it."
        )
    if run.source == "trace":
        return "Record the trace where the GPU is, with ProfilerActivity.CUDA and some steps."
    if run.steps:
        return "Let the program run for more steps: perfkit profile --steps 3 SCRIPT."
    return "Mark the steps with perfkit.step(), or profile a program that trains or evaluates in a loop."


def _owner(finding: Finding) -> str:
    source = source_at(finding.place)
    if source and source.function:
        return source.function
    if finding.place is None:
        return str(finding.evidence.get("ops") or "Code without a Python frame")
    function = finding.place.function
    return "The script" if function == "<module>" else function


def _short(finding: Finding) -> str:
    if finding.place is None:
        return "no Python line is known"
    return f"{finding.place.file.replace(chr(92), '/').rsplit('/', 1)[-1]}:{finding.place.line}"


def _sum(pairs: list[Pair], rule: str) -> float:
    return sum(_count(finding) for name, finding in pairs if name == rule)


def _count(finding: Finding) -> float:
    value = finding.evidence.get("per_step")
    return float(value) if isinstance(value, (int, float)) else 0.0


def _weight(findings: Iterable[Finding]) -> float:
    """Likely ns, those of low confidence by half; a finding without a saving weighs least."""
    return sum(f.saving.likely_ns * _WEIGHTS[f.confidence] for f in findings if f.saving)


def _plural(count: float, one: str, many: str) -> str:
    shown = _round(count)
    return f"{units.count(shown)} {one if shown == 1 else many}"


def _round(count: float) -> float:
    return round(count, 1)


def _ended(run: Run) -> str:
    """How the program ended, as the end of a sentence about it."""
    return run.ended if run.ended.startswith(_CALM) else f"ended with {run.ended}"


_CALM = ("ran", "stopped", "was")
