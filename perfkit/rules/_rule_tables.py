"""The tables behind single rules: what the compiler did, what was alive at the peak, loaders, the queue."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from perfkit.analysis.bus_copies import bus_copies, bus_copies_table
from perfkit.analysis.compile_record import broken_lines, compile_table, compiled_code
from perfkit.analysis.gradient_buckets import gradient_buckets, gradient_buckets_table
from perfkit.analysis.graph_capture import launch_order, launch_order_table
from perfkit.analysis.grid_filling import grid_filling, grid_filling_table
from perfkit.analysis.loading import loaders_table
from perfkit.analysis.peak_memory import peak_memory, peak_memory_table
from perfkit.analysis.starved_queue import starved_queue, starved_queue_table
from perfkit.analysis.trace_reading import TraceReading, trace_reading
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.model.table import Table


def rule_tables(run: Run) -> dict[str, Table]:
    """Tables by name; those left out for which there is nothing to tell, as the rules then say."""
    makers: dict[str, Callable[[], Table]] = {
        "compiled_code": lambda: compile_table(compiled_code(run), broken_lines(run)),
        "peak_memory": lambda: peak_memory_table(peak_memory(run)),
        "loaders": lambda: loaders_table(run),
    }
    if isinstance(run.events, Events):
        makers |= _of_trace(run.events, trace_reading(run.events))
    tables = {}
    for name, make in makers.items():
        with suppress(NotApplicable, NotObservable):
            tables[name] = make()
    return {name: table for name, table in tables.items() if table.rows}


def _of_trace(events: Events, reading: TraceReading) -> dict[str, Callable[[], Table]]:
    """Makers of those that only a trace can fill."""
    work, steps = reading.work, reading.steps
    return {
        "starved_queue": lambda: starved_queue_table(starved_queue(reading)),
        "launch_order": lambda: launch_order_table(launch_order(reading)),
        "grid_filling": lambda: grid_filling_table(grid_filling(events, work, steps)),
        "bus_copies": lambda: bus_copies_table(bus_copies(events, work, steps)),
        "gradient_buckets": lambda: gradient_buckets_table(gradient_buckets(events)),
    }
