"""What a step is, decided while the program runs. Pure policy: the marks come from `marks`.

An explicit `perfkit.step()` wins; else `optimizer.step` when something is trained; else the batches
of a DataLoader; else the outermost module's forward. A better marker that turns up later (training
that begins after an evaluation) takes over, and the measurement starts again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

Marker = Literal["forward", "loader", "optimizer", "explicit", "region"]

_RANK: dict[Marker | None, int] = {
    None: 0, "forward": 1, "loader": 2, "optimizer": 3, "explicit": 4, "region": 5,
}  # fmt: skip
# Gradients without an optimizer (forces, saliency, updates by hand) have steps too; with an
# optimizer waiting, many backwards are one step of gradient accumulation.
_PATIENCE_WITHOUT_OPTIMIZER = 3
_PATIENCE_WITH_OPTIMIZER = 64
# With an optimizer waiting, a few forwards before the first backward are one loss of many parts.
_FORWARDS_WITH_OPTIMIZER = 8
# A batch that is decoded token by token: the tokens are the steps.
_FORWARDS_PER_BATCH = 32
_LEADER_LOST = 4
# Of forwards the first module leads for longer: an encoder that runs once for many decoder tokens.
_FIRST_MODULE_LOST = _FORWARDS_PER_BATCH


class Listener(Protocol):
    """What a session does when the finder has decided something. Times are the marks' own."""

    def begin(self, now: int) -> None:
        """A step begins: the first one, or one after a pause."""

    def end(self, now: int) -> None:
        """The running step ends, and the next begins."""

    def pause(self) -> None:
        """Until the next `begin`, nothing belongs to a step."""

    def restart(self) -> None:
        """A better marker took over: the steps so far were something else."""


@dataclass
class Leader:
    """The one of several optimizers, loaders or modules whose turns are counted: the first that came.

    It loses its place to another that comes `lost` times without it.
    """

    key: int | None = None
    lost: int = _LEADER_LOST
    _others: dict[int, int] = field(default_factory=dict)

    def takes_turn(self, key: int) -> bool:
        """True when this turn ends a round."""
        if self.key is None or self.key == key:
            self.key = key
            self._others.clear()
            return True
        self._others[key] = self._others.get(key, 0) + 1
        if self._others[key] < self.lost:
            return False
        self.key = key
        self._others.clear()
        return True


class StepFinder:
    """Turns marks into steps.

    Args:
        listener: told about beginnings and ends.
        region: name of the `perfkit.instrument` region whose passes are the steps, if asked for.
    """

    def __init__(self, listener: Listener, region: str | None = None) -> None:
        self._tell = listener
        self.region = region
        self.marker: Marker | None = "region" if region else None
        self.begun = False
        self.seen: dict[str, int] = {"forward": 0, "loader": 0, "optimizer": 0, "backward": 0}
        self.forwards_in_step = 0
        self._model = ""
        self._optimizers_made = 0
        self._backwards = 0  # since the last optimizer.step
        self._forwards = 0  # since the last batch
        self._forward_ended: int | None = None
        self._exhausted = False
        self._leaders = {
            "optimizer": Leader(),
            "loader": Leader(),
            "forward": Leader(lost=_FIRST_MODULE_LOST),
        }

    def text(self) -> str:
        """The marker for people."""
        match self.marker:
            case None:
                return "whole program"
            case "forward":
                return f"forward of {self._model}"
            case "loader":
                return "DataLoader batch"
            case "optimizer":
                return "optimizer.step"
            case "explicit":
                return "perfkit.step()"
            case "region":
                return f"region {self.region}"

    def explicit(self, now: int) -> None:
        """`perfkit.step()` was called."""
        if self.marker == "region":
            return
        self._take_over("explicit")
        if self.begun:
            self._tell.end(now)
        else:
            self._first(now)

    def region_entered(self, name: str, now: int) -> None:
        """A pass through the region begins."""
        if name == self.region:
            self.begun = True
            self._tell.begin(now)

    def region_left(self, name: str, now: int) -> None:
        """A pass through the region ended."""
        if name == self.region and self.begun:
            self._tell.end(now)
            self._tell.pause()

    def loader_next(self, key: int, now: int) -> None:
        """A batch is asked for (or the end of the data found)."""
        self.seen["loader"] += 1
        per_batch, self._forwards = self._forwards, 0
        if self._fixed("loader"):
            return
        self._first(now)
        ends_round = self._leaders["loader"].takes_turn(key)
        if self._exhausted:
            self._exhausted = False
            self._tell.begin(now)
            return
        waiting = self._backwards > 0 and self.marker is None
        if self.seen["loader"] < 2 or waiting or per_batch >= _FORWARDS_PER_BATCH:
            return
        if ends_round:
            self._take_over("loader")
            self._tell.end(now)

    def loader_exhausted(self, key: int) -> None:
        """The data ended: until the next epoch asks for a batch, nothing belongs to a step."""
        if self.marker == "loader" and self._leaders["loader"].key == key:
            self._exhausted = True
            self._tell.pause()

    def forward_started(self, key: int, now: int) -> None:
        """The outermost module's forward begins; `key` tells modules apart."""
        if self._fixed("forward"):
            return
        self._first(now)
        leads = self._leaders["forward"].key == key
        if leads and self._only_forwards() and self._forward_ended is not None:
            self._take_over("forward")
            self._tell.end(self._forward_ended)

    def forward_ended(self, key: int, model: str, learns: bool, now: int) -> None:
        """The outermost module's forward ended; `learns`: gradients may still be asked of it."""
        self.seen["forward"] += 1
        self._forwards += 1
        self.forwards_in_step += 1
        self._forward_ended = now
        if self._fixed("forward") or not self._leaders["forward"].takes_turn(key):
            return
        self._model = model
        if self.marker == "forward":
            self._tell.end(now)
        elif (not learns and self._only_forwards()) or self._is_decoding():
            self._take_over("forward")
            self._tell.end(now)

    def backward_started(self, now: int) -> None:
        """The autograd engine starts (not nested in another backward)."""
        self.seen["backward"] += 1
        self._backwards += 1
        if self.marker in ("explicit", "region", "optimizer"):
            return
        self._first(now)
        patience = (
            _PATIENCE_WITH_OPTIMIZER if self._optimizers_made else _PATIENCE_WITHOUT_OPTIMIZER
        )
        if self.marker is None and self._backwards >= patience:
            self._take_over("loader" if self.seen["loader"] > 1 else "forward")

    def optimizer_made(self) -> None:
        self._optimizers_made += 1

    def optimizer_stepped(self, key: int, now: int) -> None:
        """The end of some optimizer's `step`."""
        self.seen["optimizer"] += 1
        self._backwards = 0
        if self._fixed("optimizer"):
            return
        self._first(now)
        if self._leaders["optimizer"].takes_turn(key):
            self._take_over("optimizer")
            self._tell.end(now)

    def _only_forwards(self) -> bool:
        """No better marker was seen, and none is to be expected."""
        patience = _FORWARDS_WITH_OPTIMIZER if self._optimizers_made else 1
        others = self._backwards or self.seen["loader"]
        return self.marker is None and not others and self.seen["forward"] >= patience

    def _is_decoding(self) -> bool:
        return (
            self.marker is None and self._backwards == 0 and self._forwards >= _FORWARDS_PER_BATCH
        )

    def _fixed(self, marker: Marker) -> bool:
        return _RANK[self.marker] > _RANK[marker]

    def _first(self, now: int) -> None:
        if not self.begun:
            self.begun = True
            self._tell.begin(now)

    def _take_over(self, marker: Marker) -> None:
        if _RANK[marker] > _RANK[self.marker]:
            had_steps, self.marker = self.marker is not None, marker
            if had_steps:
                self._tell.restart()
