"""Facts about the machine."""

from __future__ import annotations

import platform

import torch

from perfkit.capture.environment import environment


def test_nothing_unknown_is_told_as_empty():
    assert all(environment().values())


def test_looking_does_not_wake_the_gpu():
    before = torch.cuda.is_initialized()
    environment()
    assert torch.cuda.is_initialized() == before


def test_versions_and_ranks_are_told(monkeypatch):
    monkeypatch.setenv("RANK", "3")
    facts = environment()
    assert facts["python"] == platform.python_version()
    assert facts["torch"] == str(torch.__version__)
    assert facts["rank"] == "3"
