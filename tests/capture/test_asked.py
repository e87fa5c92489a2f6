"""Who is taken to know of the device."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch

from perfkit.capture import asked


@pytest.fixture
def nobody_else(monkeypatch):
    """No module of the test suite, and no argument, speaks of the device."""
    monkeypatch.setattr(sys, "modules", {})
    monkeypatch.setattr(sys, "argv", ["train.py"])


def module(tmp_path, source):
    path = tmp_path / "program.py"
    path.write_text(source)
    found = ModuleType("program")
    found.__file__ = str(path)
    return found


def test_torch_asking_itself_is_not_the_program():
    noted = asked.Asked()
    with noted.listening():
        torch.Generator().manual_seed(0)
        torch.amp.GradScaler("cpu")
    assert not noted.questions


def test_a_program_that_says_nothing_of_it_does_not_know(tmp_path, nobody_else):
    sys.modules["program"] = module(tmp_path, "x = 'cpu'")
    sys.modules["torch"] = torch
    assert not asked.Asked().by_program()


def test_asking_is_knowing_and_answers_stay_as_they_are():
    noted, before = asked.Asked(), torch.cuda.is_available
    with noted.listening():
        assert torch.cuda.is_available() == before()
    assert noted.by_program()
    assert torch.cuda.is_available is before


def test_speaking_of_it_is_knowing(tmp_path, nobody_else):
    sys.modules["program"] = module(tmp_path, "model.to('cuda')")
    assert asked.Asked().by_program()


def test_an_argument_is_knowing(nobody_else):
    sys.argv.append("--device=cuda:0")
    assert asked.Asked().by_program()
