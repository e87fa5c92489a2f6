"""How many tokens to draft next, from how many were accepted before; no wait in the loop.

What it replaces
    A controller that adds up acceptance *rates*: a sum of numbers that are never negative only grows,
    so the draft length ends at its maximum, at 10 % acceptance as at 90 %. It also reads the count
    of the step that was just launched, which makes the host wait for the whole of it.

Why it is faster
    Drafting too far costs draft steps that are thrown away; drafting too little, main steps. The
    expected tokens per cost have a maximum, and where it lies follows from two numbers that can be
    counted: how often the first drafted token is accepted, and how often a further one. Counts come
    one step late through pinned memory, so the device always has the next step queued.

When it wins, and when not
    Where acceptance differs between texts or moves within one. With a known and stationary rate the
    best fixed length is as good; `best_pace` computes it. With a draft model that costs next to
    nothing the maximum is flat and any long draft will do.

Exact or approximate
    A policy, not an equation: other lengths than the found controller's. The tokens that come out
    are the same for greedy verification and distributed alike for sampled, whatever the lengths, as
    long as a length depends on past steps only. Judged by regret: tokens per cost lost against the
    best fixed length, 5 % at most over some hundred steps, the start included.

Hazards
    The sign: refusals must shorten. Integrating without forgetting winds up: after a long easy text
    the counts must not take as long to unlearn; here they are forgotten over `MEMORY` steps. A draft
    of length 0 teaches nothing, so the shortest is 1. A run cut by the draft's own length is not a
    refusal: counting it as one makes short drafts look bad for ever. Deciding from the running step
    (before its verification) would let the length depend on what was drawn, which biases sampling.

Your own inputs
    `runs`: int64 [steps], how many drafted tokens each step would have accepted if the draft had been
    long enough. `costs`: what a drafted token costs in units of one main step, or a dictionary of
    `draft` and `branch`; 0.1 if left out. `longest`: the longest draft, 16 if left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from perfkit.rewrites._own import rebuilt
from perfkit.rewrites._rewrite import Case, Form, Goal, Inputs, Quality, Rewrite

MEMORY = 32.0
"""Steps over which counts are forgotten."""

FIRST_WEIGHT = 4.0
"""How many trials of further tokens the rate of first tokens stands for."""

WORTHWHILE = 0.01
"""A change must promise this share more tokens per cost, so that the length settles."""


@dataclass(frozen=True)
class Costs:
    """What a step costs, in units of one forward of the main model.

    Attributes:
        draft: one drafted token, all branches together.
        branch: each further branch, per step.
    """

    draft: float = 0.1
    branch: float = 0.05

    def of(self, pace: Pace) -> float:
        """Cost of one step of drafting and verifying."""
        return 1.0 + self.draft * pace.length + self.branch * (pace.branches - 1)


@dataclass(frozen=True)
class Pace:
    """Tokens to draft per branch, and branches."""

    length: int
    branches: int = 1


@dataclass(frozen=True)
class Lookahead:
    """What has been learnt about acceptance, and the pace that follows from it.

    Attributes:
        longest: bound of the draft length; the shortest is 1.
        hits: forgotten count of steps where the main model's token was the draft's first choice, its
            second, and so on; as many as there may be branches.
        steps, continued, refused: forgotten counts of steps, and of drafted tokens after the first
            that were accepted and that were refused.
    """

    pace: Pace
    longest: int = 16
    costs: Costs = Costs()
    hits: tuple[float, ...] = (0.7,)
    steps: float = 1.0
    continued: float = 0.0
    refused: float = 0.0

    @property
    def continues(self) -> float:
        """Chance that a token after an accepted one is accepted, too.

        With few trials, as behind drafts of one token, what is known about first tokens stands in;
        otherwise a draft once shortened to one token would never learn that it should be longer.
        """
        first = min(1.0, self.hits[0] / self.steps)
        trials = self.continued + self.refused
        return (self.continued + FIRST_WEIGHT * first) / (trials + FIRST_WEIGHT)

    def expected(self, pace: Pace) -> float:
        """Expected tokens of a step over its cost."""
        first = min(1.0, sum(self.hits[: pace.branches]) / self.steps)
        further = sum(self.continues**place for place in range(pace.length))
        return (1.0 + first * further) / self.costs.of(pace)


def lookahead(
    longest: int = 16, branches: int = 1, costs: Costs | None = None, start: int = 4
) -> Lookahead:
    """Before anything was observed: `start` tokens, one branch, of at most so many.

    Raises:
        ValueError: a bound below 1, or a draft that costs nothing or less.
    """
    costs = costs or Costs()
    if longest < 1 or branches < 1 or costs.draft <= 0 or costs.branch < 0:
        raise ValueError("bounds are 1 at least, and a drafted token costs more than nothing")
    hits = (0.7, *(0.3 * 0.5**rank for rank in range(1, branches)))
    return Lookahead(Pace(min(start, longest)), longest, costs, hits)


def adaptive_lookahead(
    belief: Lookahead, accepted: int, drafted: int, rank: int | None = None
) -> Lookahead:
    """What is believed after one more step, and the pace to go on with.

    Args:
        accepted: drafted tokens accepted in that step, of its longest branch.
        drafted: tokens that had been drafted (and were usable), `accepted` at least.
        rank: place of the main model's next token among the draft's first choices, 0 for the first,
            -1 for none of them; None takes it from `accepted`. Known on every step, however many
            branches were drafted: so branches need no trials of their own.

    Raises:
        ValueError: more accepted than drafted.
    """
    if not 0 <= accepted <= drafted:
        raise ValueError(f"{accepted} accepted of {drafted} drafted tokens")
    kept = 1.0 - 1.0 / MEMORY
    hits, steps = belief.hits, belief.steps
    if drafted or rank is not None:
        place = rank if rank is not None else (0 if accepted else -1)
        hits = tuple(kept * hit + (at == place) for at, hit in enumerate(belief.hits))
        steps = kept * steps + 1.0
    after = replace(
        belief,
        hits=hits,
        steps=steps,
        continued=kept * belief.continued + max(0, accepted - 1),
        refused=kept * belief.refused + (0 < accepted < drafted),
    )
    return replace(after, pace=_worthwhile(after))


def best_pace(belief: Lookahead) -> Pace:
    """The pace with the most expected tokens per cost."""
    paces = [
        Pace(length, branches)
        for length in range(1, belief.longest + 1)
        for branches in range(1, len(belief.hits) + 1)
    ]
    return max(paces, key=belief.expected)


def _worthwhile(belief: Lookahead) -> Pace:
    best = best_pace(belief)
    gain = belief.expected(best) / belief.expected(belief.pace)
    return best if gain > 1.0 + WORTHWHILE else belief.pace


class LateReads:
    """Device values for the host, one call late: the copy of a step runs while the next is queued.

    On CUDA the values travel to pinned memory without blocking. When they are asked for, the step
    after theirs has been launched already, so a host that has run ahead waits for an event of the
    past, and the device has work meanwhile: no synchronisation that empties the queue. On a CPU the
    values come as late, so that every device takes the same decisions.
    """

    def __init__(self) -> None:
        self._waiting: tuple[Tensor, Any] | None = None

    def exchange(self, values: Tensor) -> list[Any] | None:
        """Send values [n] on their way and give those of the call before; None the first time."""
        before = self.last()
        if values.device.type == "cuda":
            landing = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            landing.copy_(values, non_blocking=True)
            arrival = torch.cuda.Event()
            arrival.record()
            self._waiting = landing, arrival
        else:
            self._waiting = values.clone(), None
        return before

    def last(self) -> list[Any] | None:
        """The values sent last, waiting for them if need be; None where none are on their way."""
        if self._waiting is None:
            return None
        landed, arrival = self._waiting
        self._waiting = None
        if arrival is not None and not arrival.query():
            arrival.synchronize()
        return landed.tolist()


def found(runs: Tensor, costs: Costs, longest: int) -> Tensor:
    """As met in a published sketch: lengths that grow with the sum of all rates so far."""
    lengths, integral = [], 0.0
    for run in runs.tolist():
        length = max(1, min(longest, round(4 + 4 * integral)))
        integral += min(run, length) / length
        lengths.append(length)
    return torch.tensor(lengths, dtype=torch.int64)


def adaptive(runs: Tensor, costs: Costs, longest: int) -> Tensor:
    """Lengths that `adaptive_lookahead` takes on these runs, each count one step late."""
    belief = lookahead(longest, costs=costs)
    lengths: list[int] = []
    late: tuple[int, int] | None = None
    for run in runs.tolist():
        length = belief.pace.length
        if late is not None:
            belief = adaptive_lookahead(belief, *late)
        lengths.append(length)
        late = min(run, length), length
    return torch.tensor(lengths, dtype=torch.int64)


def tokens_per_cost(runs: Tensor, lengths: Tensor, costs: Costs) -> float:
    """Tokens gained with these lengths over what the steps cost."""
    gained = (torch.minimum(runs, lengths) + 1).sum()
    return float(gained / (1.0 + costs.draft * lengths).sum())


def regret(inputs: Sequence[Any], lengths: Tensor) -> float:
    """Share of tokens per cost lost against the best fixed length; negative where it is better."""
    runs, costs, longest = inputs
    fixed = (torch.full_like(runs, length) for length in range(1, longest + 1))
    best = max(tokens_per_cost(runs, each, costs) for each in fixed)
    return 1.0 - tokens_per_cost(runs, lengths, costs) / best


def _quality(inputs: Inputs, found: Tensor, given: Tensor) -> Quality:
    return Quality("regret against the best fixed length", regret(inputs, given), 0.05)


def drawn_runs(rates: Sequence[float], steps: int, seed: int) -> Tensor:
    """How far each step's draft would be accepted if it were long enough: int64 [rates * steps].

    Args:
        rates: acceptance per token, each for so many steps.
    """
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(len(rates), steps, generator=generator, dtype=torch.float64)
    rate = torch.tensor(rates, dtype=torch.float64).clamp(1e-9, 1 - 1e-9).unsqueeze(1)
    return (uniform.log() / rate.log()).floor().long().flatten().clamp_max(10**6)


def _case(name: str, *rates: float) -> Case:
    def make(seed: int) -> Inputs:
        return drawn_runs(rates, 400, seed), Costs(draft=0.1), 16

    return Case(name, make, f"{400 * len(rates)} steps, a drafted token costs 0.1 main steps", (0,))


def _adopted(
    runs: Tensor | Sequence[int], costs: float | Mapping[str, float] = 0.1, longest: int = 16
) -> Inputs:
    """Inputs as a file holds them; `costs` by name, or that of a drafted token alone."""
    own = Costs(draft=costs) if isinstance(costs, (int, float)) else rebuilt(Costs, costs)
    return torch.as_tensor(runs), own, longest


REWRITE = Rewrite(
    title="Choose the draft length by what a step yields for its cost",
    found=(Form("found", found, "never: it ends at the longest draft, whatever is accepted"),),
    forms=(
        Form(
            "adaptive",
            adaptive,
            "where acceptance is unknown, or differs between texts",
            exact=False,
            approximates="other draft lengths, hence other speed; what is generated stays the same",
            quality=_quality,
        ),
    ),
    cases=(
        _case("10 % accepted", 0.1),
        _case("60 % accepted", 0.6),
        _case("90 % accepted", 0.9),
        _case("90 %, then 20 % accepted", 0.9, 0.2),
    ),
    goals=(Goal("10 % accepted", syncs=0, device_ops=0),),
    adopt=_adopted,
)
