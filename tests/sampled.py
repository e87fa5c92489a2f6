"""Samples for tests: one value per 50 ms, under a run whose steps take 100 ms each.

run = sampled_run("bbbbllll", device(throttle=[4] * 8))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perfkit.model.run import Gap, Instrument, Run, Step
from perfkit.model.samples import Samples, Series

MS = 1_000_000
EVERY = 50 * MS
WALL = 1_700_000_000_000_000_000
NAN = float("nan")
UNITS = {
    "throttle": "flags",
    "power": "watt",
    "energy": "joule",
    "sm_clock": "hertz",
    "sm_clock_limit": "hertz",
    "memory_used": "bytes",
    "process_memory": "bytes",
    "process_rss": "bytes",
    "temperature": "celsius",
    "process_cpu": "count",
    "workers_cpu": "count",
    "workers": "count",
    "numa_node": "count",
}
_INSTRUMENTS: Mapping[str, Instrument] = {"w": "warm-up", "b": "bare", "l": "light", "d": "deep"}


def samples(
    subject: str,
    identity: Mapping[str, str] | None = None,
    unavailable: Sequence[tuple[str, str]] = (),
    **series: Sequence[float],
) -> Samples:
    """Series over the same moments: the first at 25 ms, then one each 50 ms."""
    count = max((len(values) for values in series.values()), default=0)
    return Samples(
        subject=subject,
        time=np.arange(count, dtype=np.int64) * EVERY + EVERY // 2,
        wall_offset_ns=WALL,
        series={
            name: Series(UNITS.get(name, "ratio"), np.array(values, np.float64))
            for name, values in series.items()
        },
        identity=identity or {},
        unavailable=tuple(Gap(what, why) for what, why in unavailable),
        hertz=20.0,
        cost_ns=1_000_000,
    )


def device(number: int = 0, **about: Any) -> Samples:
    """Samples of a GPU."""
    return samples(f"device {number}", **about)


def machine(cores: int = 8, identity: Mapping[str, str] | None = None, **about: Any) -> Samples:
    """Samples of the host."""
    return samples("host", {"cores allowed": str(cores), **(identity or {})}, **about)


def sampled_run(steps: str, *of: Samples, **about: Any) -> Run:
    """A run whose steps take 100 ms each: w warm-up, b bare, l light, d deep."""
    drawn = tuple(
        Step(i, _INSTRUMENTS[letter], i * 100 * MS, (i + 1) * 100 * MS)
        for i, letter in enumerate(steps)
    )
    return Run("sampled", device="cuda", steps=drawn, samples=of, **about)
