"""The `cpu` setting: nobody is lied to, nothing is certain."""

from __future__ import annotations

import torch
from torch import nn

from perfkit.detectors.evidence import Evidence, listening
from perfkit.pretend import assume_moved


class TestMovedReading:
    """The `cpu` setting."""

    def run(self, function):
        evidence = Evidence()
        with assume_moved() as pretence, listening(evidence):
            function()
            assert not [n for n in pretence.notes() if "C++" not in n.what]
        return evidence.records()

    def test_host_only_work_is_silent(self):
        assert self.run(lambda: torch.arange(4).sum().item()) == ()

    def test_nothing_is_lied_about(self):
        def program():
            assert not torch.cuda.is_available() or torch.version.cuda
            assert nn.Linear(2, 2)(torch.ones(1, 2)).device.type == "cpu"

        assert self.run(program) == ()

    def test_what_a_parameter_touched_is_on_the_device_and_never_certain(self):
        model = nn.Linear(2, 1)

        def program():
            loss = model(torch.ones(3, 2)).mean()
            loss.backward()
            loss.item()
            loss.detach().cpu()

        found = {s.kind: s for s in self.run(program)}
        assert set(found) == {"item", "d2h"}
        assert not any(s.certain for s in found.values())
