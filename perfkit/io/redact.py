"""Traces, runs and diagnoses without what is private in them, for sharing.

Dropped are host, user and job names, environment values, source texts, paths, and names that are not
known to be those of torch, the standard library or well-known packages. The same private name becomes
the same pseudonym throughout (`user_1.py`, `name_2`), line numbers stay, and so do all times, sizes
and shapes. Fields that are not known to be harmless are left out, so a new one is safe too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from perfkit.io._patient import Unsound
from perfkit.io._pseudonyms import Pseudonyms
from perfkit.io._raw import NO_ARGS, RawEvent
from perfkit.io.trace_writer import write_trace
from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Diagnosis, Finding, Outcome, Verdict
from perfkit.model.memory import Held, Memory
from perfkit.model.operands import Operands
from perfkit.model.run import Gap, Run
from perfkit.model.samples import Samples
from perfkit.model.syncs import Frame, Sync
from perfkit.model.table import Cell, Table

__all__ = ["Pseudonyms", "redact_trace", "redact_run", "redact_diagnosis"]

_METADATA = frozenset(
    """schemaVersion deviceProperties distributedInfo displayTimeUnit baseTimeNanoseconds with_stack
    record_shapes profile_memory with_flops with_modules cupti_version cuda_runtime_version
    cuda_driver_version hip_runtime_version hip_driver_version roctracer_version backend rank
    world_size pg_count pg_config pg_name pg_desc pg_size backend_config ranks uid nccl_version id
    name totalGlobalMem computeMajor computeMinor maxThreadsPerBlock maxThreadsPerMultiprocessor
    regsPerBlock warpSize sharedMemPerBlock numSms regsPerMultiprocessor sharedMemPerBlockOptin
    sharedMemPerMultiprocessor maxSharedMemoryPerMultiProcessor""".split()  # noqa: SIM905 (a list to read)
)
_ARGS = frozenset(
    (
        *("External id", "external id", "correlation", "cbid", "Record function id", "Ev Idx"),
        *("Sequence number", "Fwd thread id", "Input type", "Input Dims", "Input Strides", "scope"),
        *("Input type", "Call stack", "Module Hierarchy", "Python id", "Python parent id"),
        *("Python module id", "Python thread", "stream", "device", "context", "queued", "grid"),
        *("block", "warps per SM", "blocks per SM", "shared memory", "registers per thread"),
        *("est. achieved occupancy %", "bytes", "memory bandwidth (GB/s)", "kind", "kernel"),
        *("Bytes", "Total Allocated", "Total Reserved", "Device Type", "Device Id", "Addr"),
        *("Collective name", "dtype", "In msg nelems", "Out msg nelems", "In split size"),
        *("Out split size", "Process Group Name", "Process Group ID", "Process Group Ranks"),
        *("Process Group Description", "Group size", "Seq", "Rank", "Is asynchronized op"),
        *("Global rank start", "Global rank stride", "Global ranks", "Comms Id", "Src Rank"),
        *("Dst Rank", "cuda_sync_kind", "wait_on_stream", "wait_on_cuda_event_record_corr_id"),
        *("wait_on_cuda_event_id", "num_kernels", "graph id", "graph node id", "kernel_backend"),
        *("kernel_name", "num_warps", "num_stages", "name", "labels", "sort_index", "finished"),
        *("Concrete Inputs", "node", "sizes", "flops", "Flops", "Op count", "finished"),
    )
)
_FREE = frozenset(("Concrete Inputs",))
_VALUES = re.compile(r"[\[\](){},\s\d.eE+\-]*|True|False|None|-?inf|nan|cpu|cuda(?::\d{1,3})?")
_PHASES = frozenset("XBEisftMCPNODbneRv")
_HARMLESS = frozenset(("t", "p", "g", "e", ""))
_IDS = re.compile(r"-?\d{1,19}|0x[0-9a-fA-F]{1,16}|")
_NAMED = (
    "process_name",
    "thread_name",
    "process_labels",
    "process_sort_index",
    "thread_sort_index",
)
_DEPTH = 20


def redact_trace(src: Path | str, dst: Path, names: Pseudonyms) -> tuple[Gap, ...]:
    """Write the trace `src` as `dst` without what is private; gzip where `dst` ends in .gz.

    Returns what was mended on reading.

    Raises:
        PerfkitError: `src` is no trace, or `dst` cannot be written.
    """
    return write_trace(src, dst, _Events(names).redacted, lambda fields: _fields(fields, names))


def redact_run(run: Run, names: Pseudonyms) -> Run:
    """The run without what is private; it has no directory, no trace, and no events at hand."""
    return replace(
        run,
        name=names.text(run.name),
        command=tuple(map(names.prose, run.command)),
        directory=None,
        env={names.term(key): names.prose(value) for key, value in run.env.items()},
        step_marker=names.prose(run.step_marker),
        syncs=tuple(_sync(sync, names) for sync in run.syncs),
        ops=tuple(replace(op, name=names.text(op.name)) for op in run.ops),
        regions=tuple(replace(each, name=names.text(each.name)) for each in run.regions),
        overhead={names.term(key): value for key, value in run.overhead.items()},
        gaps=tuple(Gap(names.prose(gap.what), names.prose(gap.why)) for gap in run.gaps),
        ended=names.prose(run.ended),
        trace=None,
        events=None,
        samples=tuple(_samples(each, names) for each in run.samples),
        costs=tuple(_cost(each, names) for each in run.costs),
        operands=_operands(run.operands, names),
        memory=_memory(run.memory, names),
        loaders=tuple(replace(each, dataset=names.text(each.dataset)) for each in run.loaders),
    )


def redact_diagnosis(diagnosis: Diagnosis, names: Pseudonyms) -> Diagnosis:
    """The diagnosis without what is private: no source texts, own sentences word by word."""
    told = diagnosis.verdict
    tables = {names.term(key): _table(table, names) for key, table in diagnosis.tables.items()}
    coverage = diagnosis.coverage
    # The tables first: they know files by their whole paths, sentences only by their last part.
    return replace(
        diagnosis,
        tables=tables,
        run=names.text(diagnosis.run),
        outcomes=tuple(_outcome(outcome, names) for outcome in diagnosis.outcomes),
        verdict=Verdict(names.prose(told.what), names.prose(told.why), names.prose(told.next)),
        coverage=replace(
            coverage,
            basis=names.prose(coverage.basis),
            overhead={names.term(key): value for key, value in coverage.overhead.items()},
            gaps=tuple(map(names.prose, coverage.gaps)),
        ),
        facts={names.term(k): names.prose(v) for k, v in diagnosis.facts.items()},
    )


_PUBLIC = {"name", "cores", "cores allowed", "core quota", "memory", "NUMA node", "NUMA nodes"}
"""Of what identifies a device or a host; numbers of devices and processes stay private."""


def _samples(samples: Samples, names: Pseudonyms) -> Samples:
    """Its values; of its identity what many machines share."""
    return replace(
        samples,
        identity={key: value for key, value in samples.identity.items() if key in _PUBLIC},
        unavailable=tuple(
            Gap(names.prose(gap.what), names.prose(gap.why)) for gap in samples.unavailable
        ),
    )


class _Events:
    """Redacts the events of one trace, one by one."""

    def __init__(self, names: Pseudonyms) -> None:
        self._names = names

    def redacted(self, event: RawEvent, position: int) -> RawEvent | None:
        """The event without what is private, None where it is none of Chrome's."""
        if event.ph not in _PHASES:
            return None
        names = self._names
        about_names = event.ph == "M" and event.name in _NAMED
        if not about_names:
            is_frame = event.cat.lower() in ("python_function", "python")
            event.name = names.frame(event.name) if is_frame else names.text(event.name)
        event.cat = names.text(event.cat)
        event.pid = _identity(event.pid, names)
        event.tid = _identity(event.tid, names)
        event.id = _identity(event.id, names)
        event.bp = event.bp if event.bp in _HARMLESS else None
        event.s = event.s if event.s in _HARMLESS else None
        if event.args is not NO_ARGS:
            event.args = self._args(event.args)
        return event

    def _args(self, raw: msgspec.Raw) -> msgspec.Raw:
        try:
            fields = msgspec.json.decode(raw)
        except Unsound:
            return NO_ARGS
        if not isinstance(fields, dict):
            return NO_ARGS
        names = self._names
        kept: dict[str, Any] = {}
        for key, value in fields.items():
            if key == "Call stack" and isinstance(value, str):
                kept[key] = names.stack(value)
            elif key in _FREE:
                kept[key] = _plain_values(value)
            elif key in _ARGS:
                kept[key] = _value(value, names, _ARGS)
        return msgspec.Raw(msgspec.json.encode(kept))


def _fields(fields: Mapping[str, Any], names: Pseudonyms) -> dict[str, Any]:
    return {
        key: _value(value, names, _METADATA) for key, value in fields.items() if key in _METADATA
    }


def _value(value: Any, names: Pseudonyms, keys: frozenset[str], depth: int = 0) -> Any:
    """JSON data with texts redacted, and without the keys that are not known."""
    if isinstance(value, str):
        return names.text(value)
    if depth > _DEPTH:
        return None
    if isinstance(value, list):
        return [_value(each, names, keys, depth + 1) for each in value]
    if isinstance(value, dict):
        return {k: _value(v, names, keys, depth + 1) for k, v in value.items() if k in keys}
    return value


def _plain_values(value: Any) -> Any:
    """Numbers, shapes and flags among the values with which an operator was called."""
    if isinstance(value, list):
        return [_plain_values(each) for each in value]
    if isinstance(value, str):
        return value if _VALUES.fullmatch(value) else ""
    return None


def _identity(value: int | str | None, names: Pseudonyms) -> int | str | None:
    if isinstance(value, str) and not _IDS.fullmatch(value):
        return names.text(value)
    return value


def _frame(frame: Frame | None, names: Pseudonyms) -> Frame | None:
    if frame is None:
        return None
    file = names.file(frame.file)
    return Frame(file, frame.line, names.function(frame.function, file))


def _cost(cost: OpCost, names: Pseudonyms) -> OpCost:
    return replace(
        cost,
        op=names.text(cost.op),
        signature=names.term(cost.signature),
        unknown=names.prose(cost.unknown),
        module=None if cost.module is None else names.text(cost.module),
        region=None if cost.region is None else names.text(cost.region),
        place=_frame(cost.place, names),
    )


def _operands(
    operands: tuple[Operands, ...] | None, names: Pseudonyms
) -> tuple[Operands, ...] | None:
    if operands is None:
        return None
    return tuple(
        replace(
            each,
            op=names.text(each.op),
            what=names.term(each.what),
            module=None if each.module is None else names.text(each.module),
            region=None if each.region is None else names.text(each.region),
            place=_frame(each.place, names),
        )
        for each in operands
    )


def _memory(memory: Memory | None, names: Pseudonyms) -> Memory | None:
    if memory is None or memory.step is None:
        return memory
    step = memory.step
    return replace(
        memory,
        step=replace(
            step,
            op=names.text(step.op),
            module=None if step.module is None else names.text(step.module),
            place=_frame(step.place, names),
            dropped_at=_frame(step.dropped_at, names),
            held=tuple(_held(each, names) for each in step.held),
            left=tuple(_held(each, names) for each in step.left),
            zeroed=tuple(_held(each, names) for each in step.zeroed),
        ),
    )


def _held(held: Held, names: Pseudonyms) -> Held:
    return replace(
        held,
        op=names.text(held.op),
        module=None if held.module is None else names.text(held.module),
        maker=None if held.maker is None else names.text(held.maker),
        place=_frame(held.place, names),
    )


def _sync(sync: Sync, names: Pseudonyms) -> Sync:
    stack = (_frame(frame, names) for frame in sync.stack)
    return replace(
        sync,
        op=names.text(sync.op),
        kind=names.term(sync.kind),
        stack=tuple(frame for frame in stack if frame is not None),
        caller=_frame(sync.caller, names),
        fix=names.prose(sync.fix),
        seen_by=tuple(map(names.term, sync.seen_by)),
        region=None if sync.region is None else names.text(sync.region),
    )


def _outcome(outcome: Outcome, names: Pseudonyms) -> Outcome:
    return replace(
        outcome,
        rule=names.term(outcome.rule),
        reason=None if outcome.reason is None else names.prose(outcome.reason),
        findings=tuple(_finding(finding, names) for finding in outcome.findings),
    )


def _finding(finding: Finding, names: Pseudonyms) -> Finding:
    saving = finding.saving
    if saving is not None:
        saving = replace(saving, method=names.prose(saving.method), per=names.term(saving.per))
    return replace(
        finding,
        place=_frame(finding.place, names),  # before the sentences that name it
        title=names.prose(finding.title),
        code="",
        evidence={names.term(k): _cell(v, names.prose) for k, v in finding.evidence.items()},
        saving=saving,
        fix=names.prose(finding.fix),
        rewrite=None if finding.rewrite is None else names.term(finding.rewrite),
        remedy=None,  # its diff is source, its commands name files
    )


def _table(table: Table, names: Pseudonyms) -> Table:
    columns = [column.name for column in table.columns]
    place = columns.index("file") if "file" in columns else None
    rows = []
    for row in table.rows:
        path = "" if place is None else row[place]
        file = names.file(path) if isinstance(path, str) else ""
        rows.append(tuple(_column(c, v, file, names) for c, v in zip(columns, row, strict=True)))
    return Table(
        tuple(
            replace(c, name=names.term(c.name), unit=_unit(c.unit, names)) for c in table.columns
        ),
        tuple(rows),
    )


def _unit(unit: str | None, names: Pseudonyms) -> str | None:
    return None if unit is None else names.term(unit)


def _column(column: str, value: Cell, file: str, names: Pseudonyms) -> Cell:
    if column in ("code", "text"):  # the program's own source
        return None
    if column == "file":
        return file if isinstance(value, str) else value
    if column == "function" and file:
        return _cell(value, lambda text: names.function(text, file))
    if column in _PLACES:
        return _cell(value, names.chain)
    if column in _NAMES:
        return _cell(value, names.text)
    return _cell(value, names.prose if column in _SENTENCES else names.term)


_PLACES = frozenset(("caller", "stack", "place"))
_SENTENCES = frozenset(("fix", "warning", "title", "reason"))
_NAMES = frozenset(
    (
        "op",
        "region",
        "name",
        "call",
        "group",
        "trace",
        "caller",
        "stack",
        "place",
        "kernel",
        "module",
    )
)
"""Columns of what the program, not perfkit, named."""


def _cell(value: Cell, change: Callable[[str], str]) -> Cell:
    return change(value) if isinstance(value, str) else value
