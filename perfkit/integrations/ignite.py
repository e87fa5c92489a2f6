"""PyTorch-Ignite: `attach(trainer)` measures the first iterations of an engine.

    from perfkit.integrations.ignite import attach

    attach(trainer, "ranking")
    trainer.run(loader, max_epochs=3)

Attach before the handlers that evaluate when an epoch is completed: what runs after perfkit's own
handler there is no part of a step.
"""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events

from perfkit.integrations._steps import Steps


def attach(engine: Engine, name: str = "ignite", **asked: Any) -> Steps:
    """Measure the engine's next run, an iteration a step; `profile` of what is returned is the capture.

    Args:
        name: of the run.
        asked: out, device, report, steps, warmup as `perfkit.profile` takes them.
    """
    steps = Steps(name, asked)

    def failed(engine: Engine, error: BaseException) -> None:
        steps.finish(error)
        if only_ours(engine):  # a handler keeps the engine from raising
            raise error

    for event, handler in (
        (Events.STARTED, steps.start),
        (Events.GET_BATCH_STARTED, steps.resume),
        (Events.ITERATION_COMPLETED, steps.step),
        (Events.EPOCH_COMPLETED, steps.pause),
        (Events.COMPLETED | Events.TERMINATE | Events.INTERRUPT, steps.finish),
    ):
        engine.add_event_handler(event, _plain(handler))
    engine.add_event_handler(Events.EXCEPTION_RAISED, failed)
    return steps


def only_ours(engine: Engine) -> bool:
    """Whether nobody else wants to hear of exceptions, so that they must go on."""
    return len(engine._event_handlers[Events.EXCEPTION_RAISED]) == 1


def _plain(handler: Any) -> Any:
    def called(engine: Engine) -> None:
        handler()

    return called
