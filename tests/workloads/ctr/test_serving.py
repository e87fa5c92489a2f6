from dataclasses import replace

import numpy as np
import pytest
import torch

from perfkit.workloads.ctr import serving
from perfkit.workloads.ctr.config import FAST
from perfkit.workloads.ctr.data import make_loader
from perfkit.workloads.ctr.inference import predict
from perfkit.workloads.ctr.packing import columns_of_users, make_packed_loader
from perfkit.workloads.ctr.rewritten import RewrittenRanker
from perfkit.workloads.ctr.serving import (
    Clocks,
    FoundProgram,
    RewrittenProgram,
    in_logid_order,
    stream,
)

from .inputs import SMALL, model_of, users_of

CPU = torch.device("cpu")
CONFIG = replace(SMALL, test_users=0.5)
FASTER = replace(CONFIG, **FAST)


def streamed(config, clocks=None):
    model = model_of(config)
    if config.as_found:
        program, loader = FoundProgram(model, CPU), make_loader(config)
    else:
        program = RewrittenProgram(RewrittenRanker(model, config), CPU)
        columns = columns_of_users(users_of(config), config.slots)
        loader = make_packed_loader(columns, config, CPU)
    return stream(program, loader, config, CPU, clocks or Clocks())


@pytest.mark.parametrize("config", [CONFIG, FASTER], ids=["found", "fast"])
def test_streaming_predicts_what_the_loop_as_found_predicts(config):
    expected = predict(model_of(CONFIG), make_loader(CONFIG), CPU)
    logids, labels, probabilities = in_logid_order(streamed(config))
    assert logids.tolist() == expected.logids
    assert labels.tolist() == expected.labels
    np.testing.assert_allclose(probabilities, expected.probabilities, rtol=0, atol=1e-6)


def test_results_come_while_batches_are_still_to_do(monkeypatch):
    monkeypatch.setattr(serving, "FLUSH_EVERY", 2)
    clocks = Clocks()
    batches = []
    for _ in streamed(replace(FASTER, users=1, batches=12, only_test_users=False), clocks):
        batches.append(clocks.batches)
    assert batches == [2, 4, 6, 8, 10, 12]


def test_rows_are_put_in_order_of_logid():
    parts = [
        (np.array([5, 3]), np.array([1.0, 0.0]), np.array([0.5, 0.3])),
        (np.array([4]), np.array([0.0]), np.array([0.4])),
    ]
    logids, labels, probabilities = in_logid_order(parts)
    assert logids.tolist() == [3, 4, 5]
    assert labels.tolist() == [0, 0, 1] and probabilities.tolist() == [0.3, 0.4, 0.5]


def test_no_batches_give_no_rows():
    assert [len(column) for column in in_logid_order([])] == [0, 0, 0]


class Clock:
    """Time that passes only where it is told to."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


class Late:
    """A program whose device works on for three seconds after each forward has returned."""

    def __init__(self, clock):
        self.clock, self.pending = clock, 0.0

    def moved(self, batch):
        return batch

    def forward(self, batch):
        self.clock.now += 1.0
        self.pending += 3.0
        return torch.full((1,), 0.5)

    def keep(self, batch, probabilities):
        return torch.tensor([batch]), torch.zeros(1), probabilities, 1

    def wait(self, device):
        self.clock.now += self.pending
        self.pending = 0.0


@pytest.mark.parametrize(("synced", "dispatch"), [(False, 1.0), (True, 4.0)])
def test_time_that_passes_in_reads_is_told_to_have_escaped(monkeypatch, synced, dispatch):
    clock = Clock()
    program, clocks = Late(clock), Clocks()
    monkeypatch.setattr(serving, "time", clock)
    monkeypatch.setattr(serving, "wait", program.wait)
    taken = serving._Waiting.taken

    def read(waiting):
        program.wait(CPU)
        return taken(waiting)

    monkeypatch.setattr(serving._Waiting, "taken", read)
    list(stream(program, range(4), replace(FASTER, synced_timer=synced), CPU, clocks))
    assert clocks.dispatch_s == 4 * dispatch
    assert clocks.completed_s == 16.0
    assert clocks.escaped is not synced
