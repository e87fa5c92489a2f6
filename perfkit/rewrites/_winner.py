"""Which of two programs is faster, or that one cannot tell.

Both are called in pairs, in an order that alternates, so that drift and neighbours meet both alike. Each
pair gives a ratio after/before; the judgement rests on the median of the ratios with a 99 % confidence
interval from order statistics: the k-th smallest and the k-th largest of n ratios enclose the median
with probability 1 - 2 P(Binomial(n, 1/2) < k), whatever the noise's distribution. It assumes that pairs
are independent with one median. A winner is called when the interval excludes 1 and the median differs
from 1 by more than `LEAST` - two runs of one program agree to about 1 % here, so less is no news.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.99
LEAST = 0.01
LEAST_PAIRS = 8
"""Fewer cannot reach the confidence: all of n ratios lie on one side by chance with 2 / 2**n."""

_BATCH_S = 0.002
_MOST_S = 20.0


@dataclass(frozen=True)
class Winner:
    """A judgement. Seconds per call are medians; `ratio` is after over before.

    Attributes:
        name: "before", "after", or "" for no measurable difference.
        low, high: of the ratio's confidence interval; None where there are too few pairs.
    """

    name: str
    ratio: float
    low: float | None
    high: float | None
    before_s: float
    after_s: float
    pairs: int

    def text(self) -> str:
        """In words."""
        span = "" if self.low is None else f" (99 % interval {self.low:.3f} to {self.high:.3f})"
        told = f"after takes {self.ratio:.3f} of before's time{span}, {self.pairs} pairs"
        if self.low is None:
            return f"too few pairs to judge: {told}"
        if not self.name:
            return f"no measurable difference: {told}"
        factor = 1 / self.ratio if self.name == "after" else self.ratio
        return f"{self.name} is {factor:.2f}x faster: {told}"


def judge(pairs: Sequence[tuple[float, float]]) -> Winner:
    """Judge pairs of (before, after) seconds per call, all positive."""
    ratios = sorted(after / before for before, after in pairs)
    middle = statistics.median(ratios)
    interval = median_interval(ratios)
    low, high = interval if interval is not None else (None, None)
    name = ""
    if low is not None and high is not None and abs(math.log(middle)) > math.log1p(LEAST):
        name = "after" if high < 1 else "before" if low > 1 else ""
    return Winner(
        name=name,
        ratio=middle,
        low=low,
        high=high,
        before_s=statistics.median(before for before, _ in pairs),
        after_s=statistics.median(after for _, after in pairs),
        pairs=len(ratios),
    )


def median_interval(
    ordered: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """The median's confidence interval from sorted values; None where there are too few."""
    n = len(ordered)
    outside, below = 0.0, -1
    for k in range(n // 2):
        outside += 2 * math.comb(n, k) / 2**n  # both tails up to k values
        if outside > 1 - confidence:
            break
        below = k
    return (ordered[below], ordered[n - 1 - below]) if below >= 0 else None


def measured(
    before: Callable[[], object],
    after: Callable[[], object],
    wait: Callable[[], None],
    rounds: int = 31,
    clock: Callable[[], float] = time.perf_counter,
) -> list[tuple[float, float]]:
    """Seconds per call of both, in pairs.

    Args:
        wait: until the device has done all work, called inside the timer.
        rounds: pairs; fewer where they would take longer than 20 s, but `LEAST_PAIRS` at least.
        clock: in seconds.
    """

    def timed(call: Callable[[], object], calls: int) -> float:
        wait()
        began = clock()
        for _ in range(calls):
            call()
        wait()
        return max(clock() - began, 1e-9) / calls

    for call in (before, after):  # allocator, autotuning and lazy loading happen in the first two
        timed(call, 2)
    slower = max(timed(before, 1), timed(after, 1))
    calls = max(1, round(_BATCH_S / slower))
    began, pairs = clock(), []
    for turn in range(rounds):
        if turn >= LEAST_PAIRS and clock() - began > _MOST_S:
            break
        if turn % 2:
            second = timed(after, calls)
            pairs.append((timed(before, calls), second))
        else:
            first = timed(before, calls)
            pairs.append((first, timed(after, calls)))
    return pairs
