"""One configuration of the workload, timed both ways: when calls returned, and when work was done."""

from __future__ import annotations

import contextlib
import io
import statistics
from dataclasses import dataclass, replace
from typing import Any

from .config import CONFIGS, Config


@dataclass(frozen=True)
class Measured:
    """Medians in milliseconds per step, first step left out where there are more.

    Attributes:
        forward_dispatch_ms, loss_dispatch_ms: until the calls returned, as the report's timers say.
        forward_completed_ms, loss_completed_ms: until the device had done the work; the same where
            the CPU is the device.
        final_loss: of the last step.
        pairs: that the last step compared.
        contexts: of a step: samples times (1 + variants), less near-duplicates.
    """

    loss: str
    device: str
    forward_dispatch_ms: float
    forward_completed_ms: float
    loss_dispatch_ms: float
    loss_completed_ms: float
    final_loss: float
    pairs: int
    contexts: int


def run(
    config: Config | str, loss: str = "analytic", device: str = "cpu", **settings: Any
) -> Measured:
    """Train twice on the same samples, without and with waits around the timers.

    Args:
        config: a configuration or the name of one.
        loss: a name in `losses.LOSSES`.
        settings: fields of `Config`, or of its `LossConfig`, to set otherwise.

    Raises:
        KeyError: there is no configuration, loss or setting of that name.
    """
    import torch  # only here: the command line lists workloads without it

    from .losses import LOSSES
    from .training import train

    chosen = configured(CONFIGS[config] if isinstance(config, str) else config, settings)
    progress = {}
    for wait in (False, True):
        with contextlib.redirect_stdout(io.StringIO()):
            progress[wait] = train(
                replace(chosen, sync_timing=wait), LOSSES[loss], torch.device(device)
            )
    dispatched, completed = progress[False], progress[True]
    return Measured(
        loss,
        device,
        _typical(dispatched.forward_ms),
        _typical(completed.forward_ms),
        _typical(dispatched.loss_ms),
        _typical(completed.loss_ms),
        completed.printed[-1],
        completed.pairs,
        completed.contexts,
    )


def configured(config: Config, settings: dict[str, Any]) -> Config:
    """A configuration with settings of the run or of its loss changed.

    Raises:
        KeyError: neither has a setting of that name.
    """
    of_run = {k: v for k, v in settings.items() if k in Config.__dataclass_fields__}
    of_loss = {k: v for k, v in settings.items() if k not in of_run}
    unknown = [k for k in of_loss if k not in type(config.loss).__dataclass_fields__]
    if unknown:
        raise KeyError(f"no setting named {', '.join(unknown)}")
    return replace(config, **{"loss": replace(config.loss, **of_loss), **of_run})


def _typical(times: list[float]) -> float:
    return statistics.median(times[1:] or times)
