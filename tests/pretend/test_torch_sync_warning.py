"""PyTorch's own sync expectations (test_sync_warning, run there on a real GPU) hold here as well."""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
truth: Any = importlib.import_module("_patterns")

FORMS = truth.SYNC_WARNING


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_all_eighteen_forms_are_there() -> None:
    silent = [form for form in FORMS if not form.expected]
    assert (len(silent), len(FORMS) - len(silent)) == (10, 8)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_form_is_told_as_pytorch_expects(form: Any, tmp_path: Path) -> None:
    verdict = truth.run(form, tmp_path)
    assert verdict.right, f"`{form.line}`: {verdict.problem}"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_form_agrees_with_the_warnings_of_a_real_device(form: Any) -> None:
    scope: dict[str, Any] = {"torch": torch, "F": torch.nn.functional}
    exec(form.setup, scope)
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            exec(form.line, scope)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    warned = any("called a synchronizing" in str(warning.message) for warning in caught)
    assert warned == bool(form.expected)
