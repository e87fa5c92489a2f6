"""`perfkit bench ctr`: what can be set, and one configuration measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import torch

from perfkit.workloads._bench import Measured
from perfkit.workloads._settings import with_settings

from .config import CHOICES, CONFIGS, HOW, ISLANDS, Config
from .metrics import Neutral, neutral_score
from .running import Result, counts_of_run, run

SIZES = frozenset(f.name for f in fields(Config) if f.name not in HOW)
"""They change the problem, not how it is solved."""

_MEANINGS = {
    "config": "laptop, or fast: every exact option that is fast; what is set besides goes on top",
    "keep_float32": f"of {', '.join(ISLANDS)}, what stays in float32 under half precision",
    "merge_experts": "cosine similarity above which experts are merged, or none",
    "logit_shift": "added to every logit",
    "only_test_users": "true, false: leave users out who have no row to predict",
    "cut_history": "true, false: leave out the rows after a user's last one to predict",
    "last_layer_test_rows": "true, false: compute only rows to predict in the last layer",
    "compiled": "true, false: through torch.compile",
    "synced_timer": "true, false: wait for the device inside the timer",
}


def _options() -> dict[str, str]:
    forms = {name: ", ".join(values) for name, values in CHOICES.items()}
    sizes = {
        f.name: f"{f.type}, {getattr(Config(), f.name)} if not set"
        for f in fields(Config)
        if f.name in SIZES
    }
    return {"config": _MEANINGS["config"], **forms, **_MEANINGS, **sizes}


OPTIONS = _options()


def measure(settings: Mapping[str, str], device: torch.device) -> Measured:
    """One configuration: all its batches, timed on `device` and counted on the pretend one.

    Raises:
        ValueError: a setting that there is not, or not a value for it.
    """
    changes = dict(settings)
    name = changes.pop("config", "laptop")
    if name not in ("laptop", "fast"):
        raise ValueError(f"config is laptop or fast, not {name!r}; sizes are set one by one")
    config = with_settings(CONFIGS[name], changes)
    result = run(config, device=device)
    judged = _judged(config, result, device)
    return Measured(
        unit="run",
        dispatch_s=result.dispatch_s,
        completed_s=result.completed_s,
        cpu_s=result.cpu_s if device.type == "cpu" else None,
        counts=counts_of_run(config),
        quality={
            "auc": result.auc,
            "pcoc": result.pcoc,
            "contest score": result.contest_score,
            "neutral score": judged.speedup,
        },
        approximate=config.approximations,
        notes=(f"neutral score: {judged.broken}",) if judged.broken else (),
        peak_bytes=result.peak.bytes,
    )


def _judged(config: Config, result: Result, device: torch.device) -> Neutral:
    """Our own score, against the program as found on the same data."""
    as_found = with_settings(config, {name: getattr(Config(), name) for name in HOW})
    found = result if as_found == config else run(as_found, device=device)
    return neutral_score(
        result.completed_s,
        result.auc,
        result.pcoc,
        reference_seconds=found.completed_s,
        reference_auc=found.auc,
    )
