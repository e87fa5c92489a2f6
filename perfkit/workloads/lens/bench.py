"""`perfkit bench lens`: what can be set, and one configuration measured. The step is the unit."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import partial

import torch

from perfkit.rewrites._counting import Counts
from perfkit.rewrites.pairwise_preference_loss.config import LossConfig, Shape
from perfkit.workloads._bench import Measured, counted
from perfkit.workloads._settings import with_settings

from .config import CONFIGS, Config
from .losses import APPROXIMATE, LOSSES
from .measured import run
from .training import train

FOUND = "slow_dict"

_OF_RUN = {f.name: f for f in fields(Config) if f.name not in ("loss", "lods", "sync_timing")}
_OF_LOSS = {f.name: f for f in fields(LossConfig)}
_HOW = ("telemetry", "keep_scores")

SIZES = frozenset({"config", *_OF_RUN, *_OF_LOSS} - set(_HOW))

OPTIONS = {
    "loss": f"{', '.join(LOSSES)}; {FOUND} if not set",
    "config": f"{', '.join(CONFIGS)}",
    "shape": ", ".join(shape.value for shape in Shape),
    **{
        name: f"{field.type}, {getattr(defaults, name)} if not set"
        for defaults, table in ((Config(), _OF_RUN), (LossConfig(), _OF_LOSS))
        for name, field in table.items()
        if name != "shape"
    },
}


def measure(settings: Mapping[str, str], device: torch.device) -> Measured:
    """The loss alone, forward and backward of the network left out, per training step.

    Raises:
        ValueError: a setting that there is not, or not a value for it.
    """
    given = dict(settings)
    loss = given.pop("loss", FOUND)
    if loss not in LOSSES:
        raise ValueError(f"loss is one of {', '.join(LOSSES)}, not {loss!r}")
    config = configured(given)
    found = run(config, loss, str(device))
    return Measured(
        unit="step",
        dispatch_s=found.loss_dispatch_ms / 1000,
        completed_s=found.loss_completed_ms / 1000,
        counts=_counts(config, loss),
        quality={
            "final loss": found.final_loss,
            "mc/lens_forward_ms": found.forward_dispatch_ms,
            "forward completed ms": found.forward_completed_ms,
            "mc/variants_total": found.contexts,
            "pairs": found.pairs,
        },
        approximate=(f"{loss} stands in for the loss",) if loss in APPROXIMATE else (),
    )


def configured(settings: Mapping[str, str]) -> Config:
    """The configuration that these settings make.

    Raises:
        ValueError: a setting that there is not, or not a value for it.
    """
    given = dict(settings)
    name = given.pop("config", "laptop")
    if name not in CONFIGS:
        raise ValueError(f"config is one of {', '.join(CONFIGS)}, not {name!r}")
    unknown = set(given) - set(_OF_RUN) - set(_OF_LOSS)
    if unknown:
        raise ValueError(f"there is no setting {unknown.pop()!r}; there are: {', '.join(OPTIONS)}")
    shape = {"shape": Shape(given.pop("shape"))} if "shape" in given else {}
    of_loss = {key: value for key, value in given.items() if key in _OF_LOSS}
    of_run = {key: value for key, value in given.items() if key in _OF_RUN}
    config = with_settings(CONFIGS[name], of_run)
    return replace(config, loss=with_settings(config.loss, {**shape, **of_loss}))


def _counts(config: Config, loss: str) -> Counts:
    """Of a step that logs nothing, network and optimizer included: three steps less two."""
    two, three = (counted(partial(_quietly, config, loss, steps)) for steps in (2, 3))
    return Counts(
        three.device_ops - two.device_ops, three.syncs - two.syncs, three.copies - two.copies
    )


def _quietly(config: Config, loss: str, steps: int) -> None:
    """Train on CUDA; only the first and the last step log."""
    silent = replace(config, steps=steps, log_every=steps + 1, sync_timing=False)
    with contextlib.redirect_stdout(io.StringIO()):
        train(silent, LOSSES[loss], torch.device("cuda"))
