"""The tables that only a trace can fill: breakdown, idle causes, waits, the queue, kernels."""

from __future__ import annotations

from contextlib import suppress

from perfkit.analysis.communication import communication, communication_table
from perfkit.analysis.device_idle import idle_causes_table
from perfkit.analysis.device_memory import (
    device_memory,
    device_memory_table,
    memory_curve_table,
)
from perfkit.analysis.idle_edges import idle_edges_table
from perfkit.analysis.kernel_modules import kernel_modules, kernel_modules_table
from perfkit.analysis.kernels import kernel_ops_table, kernels, kernels_table
from perfkit.analysis.launch_queue import launch_queue_table, queue_over_time_table
from perfkit.analysis.step_breakdown import step_breakdown_table
from perfkit.analysis.sync_waits import sync_waits_table
from perfkit.analysis.timeline import timeline, timeline_steps_table, timeline_table
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base.errors import NotObservable
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.model.table import Table


def trace_tables(run: Run) -> dict[str, Table]:
    """Tables by name; none where the run has no trace at hand or nothing fills a table."""
    if not isinstance(run.events, Events):
        return {}
    reading = trace_reading(run.events)
    tables = {"step_breakdown": step_breakdown_table(reading.breakdown)}
    if len(reading.work):
        found = kernels(reading.events, reading.steps, reading.work, reading.owner)
        tables |= {
            "device_idle": idle_causes_table(reading.idle),
            "idle_edges": idle_edges_table(reading.edges),
            "sync_waits": sync_waits_table(reading.waits, len(reading.steps.windows)),
            "kernels": kernels_table(found),
            "kernel_ops": kernel_ops_table(found),
        }
    if reading.launched is not None:
        tables |= {
            "launch_queue": launch_queue_table(reading.step_launches),
            "queue_over_time": queue_over_time_table(reading.launched, reading.steps),
        }
    with suppress(NotObservable):  # a trace without events
        drawn = timeline(reading.events, reading.steps, reading.work, reading.waits, run.samples)
        tables |= {
            "timeline": timeline_table(drawn),
            "timeline_steps": timeline_steps_table(drawn),
        }
    with suppress(NotObservable):  # modules are named only where with_stack was on
        modules = kernel_modules(reading.events, reading.steps, reading.work, reading.owner)
        tables["kernel_modules"] = kernel_modules_table(modules)
    with suppress(NotObservable):  # most traces hold no collective
        tables["communication"] = communication_table(communication(run.events, {}))
    with suppress(NotObservable):  # allocations are recorded only where profile_memory was on
        memory = device_memory(run.events)
        tables["device_memory"] = device_memory_table(memory)
        tables["memory_curve"] = memory_curve_table(memory)
    return tables
