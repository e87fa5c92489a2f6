"""One configuration measured: `run(config, moe="sorted", ...)`, and what a forward asks of a device.

Data and network are drawn once per set of sizes and shared by the configurations of a sweep.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader

from perfkit.base.errors import PerfkitError
from perfkit.detectors.evidence import Hit, listening
from perfkit.pretend import pretend_cuda
from perfkit.rewrites._counting import Counts, tally
from perfkit.workloads._settings import with_settings

from .config import CONFIGS, HOW, Config
from .data import Collate, Row, UserHistories, id_effects
from .memory import Peak, PeakMemory
from .metrics import auc, cti2026_score, pcoc
from .model import Ranker, make_model
from .packing import Columns, columns_of_users, make_packed_loader
from .rewritten import RewrittenRanker
from .serving import Array, Clocks, FoundProgram, Program, RewrittenProgram, in_logid_order, stream


class CannotRun(RuntimeError):
    """A form that the configuration names needs what is not here."""


@dataclass(frozen=True)
class Result:
    """What a run of one configuration gave. Seconds are wall time but for `cpu_s`.

    Attributes:
        batches, rows: computed; `predicted` rows were asked for.
        logids, labels, probabilities: of the rows to predict, by logid.
        cpu_s: time of the process, the most even measure on a machine that others use.
        dispatch_s: by a timer around the model that does not wait for the device.
        completed_s: until the results were on the host.
        total_s: loading, packing and copying included.
        escaped: True when much of the time passed after the timer had stopped.
        auc, pcoc, contest_score: None where labels of one kind are missing.
        exact: False where the configuration changes results by more than rounding.
    """

    config: Config
    device: str
    batches: int
    rows: int
    logids: Array
    labels: Array
    probabilities: Array
    cpu_s: float
    dispatch_s: float
    completed_s: float
    total_s: float
    escaped: bool
    peak: Peak
    auc: float | None
    pcoc: float | None
    contest_score: float | None

    @property
    def predicted(self) -> int:
        return int(self.logids.size)

    @property
    def exact(self) -> bool:
        return self.config.exact


def run(
    config: Config | str = "laptop",
    *,
    device: torch.device | str = "cpu",
    workers: int = 0,
    columns: Columns | None = None,
    **settings: Any,
) -> Result:
    """Predict every row that is asked for, and measure.

    Args:
        config: or the name of one in `CONFIGS`.
        device: where the network computes.
        workers: processes of the loader.
        columns: rows to predict on instead of drawn ones; not for a configuration as found.
        settings: fields of the configuration to change; text is read as the field's type.

    Raises:
        ValueError: no such setting, or not a value for it.
        CannotRun: a form is not available on this device or machine.
    """
    config = with_settings(CONFIGS[config] if isinstance(config, str) else config, settings)
    device = torch.device(device)
    program, loader = program_of(config, device, workers, columns)
    clocks = Clocks()
    try:
        if config.compiled or config.attention == "flex":
            _warm_up(program, loader)
        memory = PeakMemory(device)
        began = time.process_time()
        streamed = stream(program, loader, config, device, clocks)
        logids, labels, probabilities = in_logid_order(streamed)
        cpu_s, peak = time.process_time() - began, memory.taken()
    except PerfkitError as error:
        raise CannotRun(error.message) from error
    area, ratio, scored = auc(labels, probabilities), pcoc(labels, probabilities), None
    if area is not None and ratio is not None:
        scored = cti2026_score(clocks.completed_s, area, ratio)
    return Result(
        config=config,
        device=str(device),
        batches=clocks.batches,
        rows=clocks.rows,
        logids=logids,
        labels=labels,
        probabilities=probabilities,
        cpu_s=cpu_s,
        dispatch_s=clocks.dispatch_s,
        completed_s=clocks.completed_s,
        total_s=clocks.total_s,
        escaped=clocks.escaped,
        peak=peak,
        auc=area,
        pcoc=ratio,
        contest_score=scored,
    )


@torch.no_grad()
def _warm_up(program: Program, loader: DataLoader) -> None:
    """Two batches, so that what is compiled for any sizes is compiled before it is timed."""
    for batch in islice(loader, 2):
        program.forward(program.moved(batch))


def counts(config: Config | str = "laptop", batch: int = 0, **settings: Any) -> Counts:
    """What one forward asks of a CUDA device, counted on the pretend one.

    Operators and waits are those of the forward alone, copies those of its batch that block the
    host. A first forward runs before, so that what happens once is not counted.
    """
    config = with_settings(CONFIGS[config] if isinstance(config, str) else config, settings)
    users_of(config), network(config)  # drawn outside the pretence
    hits: list[Hit] = []
    with pretend_cuda() as pretence, torch.no_grad():
        program, loader = program_of(config, torch.device("cuda"))
        batches = list(loader)
        program.forward(program.moved(batches[batch]))
        with listening(hits.append):
            moved = program.moved(batches[batch])
            hits = [hit for hit in hits if hit.direction == "h2d"]
        with listening(hits.append):
            before = pretence.dispatched
            program.forward(moved)
            after = pretence.dispatched
    return tally(after - before, hits)


def counts_of_run(config: Config) -> Counts:
    """What all batches together ask of a CUDA device, reading the results included."""
    users_of(config), network(config)
    hits: list[Hit] = []
    with pretend_cuda() as pretence:
        device = torch.device("cuda")
        program, loader = program_of(config, device)
        with listening(hits.append):
            before = pretence.dispatched
            for _ in stream(program, loader, config, device, Clocks()):
                pass
            after = pretence.dispatched
    return tally(after - before, hits)


def program_of(
    config: Config, device: torch.device, workers: int = 0, columns: Columns | None = None
) -> tuple[Program, DataLoader]:
    """The program of a configuration, and its batches.

    Raises:
        ValueError: columns for the program as found, which draws its own users.
    """
    model = network(config)
    model = model if device.type == "cpu" else copy.deepcopy(model).to(device)
    if config.as_found:
        if columns is not None:
            raise ValueError("the program as found reads lists of rows; change an option")
        return FoundProgram(model, device), _found_loader(config, workers)
    columns = columns_of(config) if columns is None else columns
    loader = make_packed_loader(columns, config, device, workers)
    return RewrittenProgram(rewritten_of(model, config), device), loader


def rewritten_of(model: Ranker, config: Config) -> RewrittenRanker:
    """The rewritten network over the parameters of `model`, compiled if the configuration says so."""
    rewritten = RewrittenRanker(model, config).eval()
    if config.compiled:
        rewritten.compile(dynamic=True)
    return rewritten


def _found_loader(config: Config, workers: int) -> DataLoader:
    return DataLoader(
        users_of(config),  # type: ignore[arg-type]
        batch_size=config.users,
        num_workers=workers,
        collate_fn=Collate(config.slots),
    )


def users_of(config: Config) -> list[list[Row]]:
    """The drawn users of a configuration's sizes; kept for the next that has the same."""
    return _users(_plain(config))


def columns_of(config: Config) -> Columns:
    """The same users as columns."""
    return _columns(_plain(config))


def network(config: Config) -> Ranker:
    """The network as found with its planted parameters, on the CPU; kept. Not to be changed."""
    return _network(_plain(config))


def _plain(config: Config) -> Config:
    """The sizes alone."""
    as_found: dict[str, Any] = {f.name: f.default for f in fields(Config) if f.name in HOW}
    return replace(config, **as_found)


@lru_cache(maxsize=2)
def _users(config: Config) -> list[list[Row]]:
    return UserHistories(config).users


@lru_cache(maxsize=2)
def _columns(config: Config) -> Columns:
    return columns_of_users(_users(config), config.slots)


@lru_cache(maxsize=2)
def _network(config: Config) -> Ranker:
    return make_model(config, torch.from_numpy(id_effects(config)).float())
