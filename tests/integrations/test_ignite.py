"""`attach` on a real engine."""

from __future__ import annotations

import pytest
import torch

import perfkit
from perfkit.capture import instrument
from tests.integrations.small_training import batches, small_model

ignite = pytest.importorskip("ignite.engine", reason="pytorch-ignite is not installed")


@pytest.fixture
def attached(tmp_path, monkeypatch):
    """`attached(fails_at, ...)`: an engine that trains, and its capture."""
    from perfkit.integrations.ignite import attach

    monkeypatch.chdir(tmp_path)

    def make(fails_at=None, **asked):
        model = small_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

        def train(engine, batch):
            if engine.state.iteration == fails_at:
                raise ValueError("bad batch")
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(batch[0]), batch[1]).backward()
            optimizer.step()

        engine = ignite.Engine(train)
        return engine, attach(
            engine, "small", **{"device": "cpu", "warmup": 1, "steps": 3, **asked}
        )

    return make


def test_iterations_are_steps_and_the_rest_is_left_alone(attached, tmp_path):
    engine, steps = attached()
    engine.run(batches(12))
    assert engine.state.iteration == 12
    assert len(steps.profile.run.steps) == 5
    assert instrument.active() is None
    assert (tmp_path / "reports" / f"{steps.profile.run.name}.html").is_file()


def test_what_lies_between_epochs_is_in_no_step(attached):
    engine, steps = attached(warmup=0, steps=9)

    @engine.on(ignite.Events.EPOCH_COMPLETED)
    def evaluate(engine):
        with perfkit.instrument("evaluation"):
            torch.ones(2).sum()

    engine.run(batches(2), max_epochs=3)
    run = steps.profile.run
    assert len(run.steps) == 6
    assert [region.step for region in run.regions if region.step is not None] == []


def test_an_exception_goes_on_where_nobody_else_handles_it(attached):
    engine, steps = attached(fails_at=4)
    with pytest.raises(ValueError, match="bad batch"):
        engine.run(batches(12))
    assert steps.profile.run.ended == "ValueError in step 3"
    assert instrument.active() is None


def test_an_exception_stays_handled_where_the_program_handles_it(attached):
    engine, _ = attached(fails_at=4)
    seen = []
    engine.add_event_handler(
        ignite.Events.EXCEPTION_RAISED, lambda engine, error: seen.append(error)
    )
    engine.run(batches(12))
    assert [str(error) for error in seen] == ["bad batch"]
