"""What there is to sample for one process."""

from __future__ import annotations

import pytest

from perfkit.capture import sources as module
from perfkit.capture.nvml import Nvml
from tests.capture.fake_gpus import FakeNvml, gpu


def test_without_a_gpu_there_is_the_host_and_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeNvml([])
    monkeypatch.setattr(module, "Nvml", lambda **about: Nvml(fake, **about))
    found, gaps = module.sources()
    assert [source.subject for source in found] == ["host"]
    assert gaps[0].why == "NVML lists no GPU"
    assert fake.closed == 1


def test_the_host_and_the_gpus_that_the_process_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeNvml([gpu(number=0), gpu(number=1)])
    monkeypatch.setattr(module, "Nvml", lambda **about: Nvml(fake, **about))
    found, gaps = module.sources(environment={"CUDA_VISIBLE_DEVICES": "1"})
    assert [source.subject for source in found] == ["host", "device 0"]
    assert found[1].identity()["uuid"] == "GPU-1"
    assert gaps == ()
    for source in found:
        source.close()
    assert fake.closed == 1
