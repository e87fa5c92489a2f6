"""Hugging Face transformers: `Trainer(callbacks=[PerfkitCallback()])` measures the first steps of training.

    from perfkit.integrations.transformers import PerfkitCallback

    Trainer(model, arguments, train_dataset=data, callbacks=[PerfkitCallback("finetune")]).train()

A step is one of the optimizer, gradient accumulation included; evaluations, checkpoints and what lies
between epochs are no part of any. Once everything is measured the run goes to profiles/, the page to
reports/ and a few numbers to `trainer.state.log_history`; the rest of the training is left alone.
The trainer tells nobody of an exception: a capture that one cut short is written when Python ends or
the next training begins, or at the end of a block `with PerfkitCallback() as callback:`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from perfkit.integrations._numbers import numbers
from perfkit.integrations._steps import Steps

if TYPE_CHECKING:
    from perfkit.cli._surface import profile as Capture


class PerfkitCallback(TrainerCallback):  # type: ignore[misc]
    """Measures the first `train()` of the trainer that it is given to.

    Args:
        name: of the run.
        asked: out, device, report, steps, warmup as `perfkit.profile` takes them.
    """

    def __init__(self, name: str = "transformers", **asked: Any) -> None:
        self._state: Any = None
        self._steps = Steps(name, asked, self._tell)

    @property
    def profile(self) -> Capture | None:
        """The capture, with `run` and `diagnosis` once it has ended."""
        return self._steps.profile

    def __enter__(self) -> PerfkitCallback:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._steps.finish(error)

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._state = state
        self._steps.start()

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._steps.resume()

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._steps.step()
        if control.should_evaluate or control.should_save:
            self._steps.pause()

    def on_evaluate(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        if not control.should_save:
            self._steps.resume()

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._steps.resume()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._steps.pause()

    def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._steps.finish()

    def _tell(self, ended: Capture) -> None:
        if ended.run is not None and ended.diagnosis is not None:
            found = numbers(ended.run, ended.diagnosis)
            self._state.log_history.append({**found, "step": self._state.global_step})
