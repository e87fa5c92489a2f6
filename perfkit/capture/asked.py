"""Whether a program knows of the pretend device, so that taking it away could break it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from perfkit.capture.marks import replaced
from perfkit.detectors.places import is_installed, is_machinery

_QUESTIONS = ("is_available", "device_count", "current_device", "get_device_name")
_ACCELERATOR_QUESTIONS = ("is_available", "device_count", "current_accelerator")
_WORDS = (b"cuda", b"accelerator")
_MOST_BYTES = 4_000_000


class Asked:
    """Notes questions about CUDA that come from outside torch.

    Attributes:
        questions: True once one came.
    """

    def __init__(self) -> None:
        self.questions = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note questions inside the block."""
        accelerator = getattr(torch, "accelerator", None)
        with ExitStack() as patches:
            for owner, names in (
                (torch.cuda, _QUESTIONS),
                (accelerator, _ACCELERATOR_QUESTIONS),
            ):
                for name in names:
                    if hasattr(owner, name):
                        patches.enter_context(replaced(owner, name, self._noting))
            yield

    def by_program(self) -> bool:
        """True where the program asked, or its own source or command line speaks of CUDA."""
        if self.questions or any("cuda" in word for word in sys.argv):
            return True
        return any(_mentions(module) for module in list(sys.modules.values()))

    def _noting(self, question: Any) -> Any:
        @functools.wraps(question)
        def answer(*args: Any, **kwargs: Any) -> Any:
            if not is_machinery(sys._getframe(1).f_code.co_filename):
                self.questions = True
            return question(*args, **kwargs)

        return answer


def _mentions(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or is_machinery(file) or is_installed(file):
        return False
    path = Path(file)
    try:
        if path.suffix != ".py" or path.stat().st_size > _MOST_BYTES:
            return False
        source = path.read_bytes()
    except OSError:
        return False
    return any(word in source for word in _WORDS)
