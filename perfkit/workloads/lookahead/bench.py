"""`perfkit bench lookahead`: what can be set, and one configuration measured."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import fields, replace

import torch

from perfkit.workloads._bench import Measured, counted
from perfkit.workloads._settings import with_settings

from .config import FORMS, MODES, Config
from .generation import generate

HOW = ("form", "adaptive", "branches", "start", "longest", "draft_cost")
"""The fields that say how tokens are made, not which."""

SIZES = frozenset(f.name for f in fields(Config) if f.name not in HOW)

OPTIONS = {
    "form": ", ".join(FORMS),
    "mode": ", ".join(MODES),
    **{
        f.name: f"{f.type}, {f.default} if not set"
        for f in fields(Config)
        if f.name not in ("form", "mode")
    },
}


def measure(settings: Mapping[str, str], device: torch.device) -> Measured:
    """One configuration: all its batches timed on `device` and counted on the pretend one.

    Raises:
        ValueError: a setting that there is not, or not a value for it.
    """
    config = with_settings(Config(), settings)
    generate(replace(config, batches=1), device)  # first calls of operators
    began = time.process_time()
    result = generate(config, device)
    cpu_s = time.process_time() - began
    return Measured(
        unit="run",
        dispatch_s=result.dispatch_ms / 1000,
        completed_s=result.completed_ms / 1000,
        cpu_s=cpu_s if device.type == "cpu" else None,
        counts=counted(lambda: generate(config, torch.device("cuda"))),
        quality={
            "tokens/s": result.tokens_per_s,
            "acceptance": result.acceptance,
            "main steps": result.steps,
        },
    )
