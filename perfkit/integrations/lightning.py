"""Lightning: `Trainer(callbacks=[PerfkitCallback()])` measures the first steps of what the trainer runs.

    from perfkit.integrations.lightning import PerfkitCallback

    Trainer(callbacks=[PerfkitCallback("ranking")]).fit(model, loader)

A step is a batch, of training as far as the optimizer moved: batches of gradient accumulation are one.
The validation inside `fit` is no part of any step. Once everything is measured the run goes to
profiles/, the page to reports/ and a few numbers to the trainer's loggers; the rest of the training is
left alone. With several ranks each writes its own run into one folder, and the last one joins them.
Works with `lightning` and `pytorch_lightning`.
"""

from __future__ import annotations

import importlib.util
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfkit.base.errors import PerfkitError
from perfkit.integrations._numbers import numbers
from perfkit.integrations._steps import Steps

if TYPE_CHECKING:
    from perfkit.cli._surface import profile as Capture


def _lightning() -> Any:
    """The package that the program uses; where it has imported neither, the one that is installed."""
    names = ("lightning.pytorch", "pytorch_lightning")
    used = [name for name in names if name in sys.modules]
    there = used or [name for name in names if importlib.util.find_spec(name.partition(".")[0])]
    if not there:
        raise PerfkitError("Lightning is not installed", "pip install lightning")
    return importlib.import_module(there[0])


class PerfkitCallback(_lightning().Callback):  # type: ignore[misc]
    """Measures one `fit`, `validate`, `test` or `predict`: the first that the trainer runs.

    Args:
        name: of the run.
        asked: out, device, report, steps, warmup as `perfkit.profile` takes them.
    """

    def __init__(self, name: str = "lightning", **asked: Any) -> None:
        super().__init__()
        self._trainer: Any = None
        self._optimizer_steps = 0
        self._name, self._asked = name, asked
        self._steps = Steps(name, asked, self._tell)

    @property
    def profile(self) -> Capture | None:
        """The capture, with `run` and `diagnosis` once it has ended."""
        return self._steps.profile

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._start(trainer)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._steps.resume()

    def on_train_batch_end(self, trainer: Any, *rest: Any) -> None:
        moved, self._optimizer_steps = self._optimizer_steps, trainer.global_step
        if not trainer.optimizers or moved != trainer.global_step:
            self._steps.step()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._steps.pause()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._steps.finish()

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.state.fn == "validate":
            self._start(trainer)
        else:
            self._steps.pause()

    def on_validation_batch_end(self, trainer: Any, *rest: Any) -> None:
        if trainer.state.fn == "validate":
            self._steps.step()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.state.fn == "validate":
            self._steps.finish()
        else:
            self._steps.resume()

    def on_predict_batch_end(self, *rest: Any) -> None:
        self._steps.step()

    on_test_start = on_predict_start = on_train_start
    on_test_batch_end = on_predict_batch_end
    on_test_end = on_predict_end = on_train_end

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._steps.finish(exception)

    def _start(self, trainer: Any) -> None:
        self._trainer, self._optimizer_steps = trainer, trainer.global_step
        out = None
        if self._steps.wanted and trainer.world_size > 1 and "out" not in self._asked:
            # Lightning's own launcher makes rank 0 the parent of the others: it has to name the folder.
            named = Path.cwd() / "profiles" / f"{self._name}-{datetime.now():%Y%m%d-%H%M%S}"
            out = trainer.strategy.broadcast(str(named))
        self._steps.start(out)

    def _tell(self, ended: Capture) -> None:
        if self._trainer is not None and ended.run is not None and ended.diagnosis is not None:
            found = numbers(ended.run, ended.diagnosis)
            for logger in self._trainer.loggers:
                logger.log_metrics(found, step=self._trainer.global_step)
