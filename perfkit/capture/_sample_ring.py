"""Bounded memory for samples: when it is full, every second one goes and the rate halves."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan

import numpy as np
import numpy.typing as npt

from perfkit.model.samples import Series

_LEAST = 16


class Ring:
    """Rows of named values over time, in arrays of a fixed size.

    Attributes:
        halved: how often every second sample was given up.
    """

    def __init__(self, units: Mapping[str, str], most_bytes: int) -> None:
        self._units = dict(units)
        self._column = {name: index for index, name in enumerate(units)}
        width = len(units) + 1
        self.capacity = max(_LEAST, most_bytes // (8 * width) // 2 * 2)
        self._time = np.zeros(self.capacity, np.int64)
        self._values = np.zeros((self.capacity, len(units)))
        self._count = 0
        self.halved = 0

    def __len__(self) -> int:
        return self._count

    def add(self, time_ns: int, values: Mapping[str, float]) -> bool:
        """Keep one sample; True where that halved what was there."""
        halves = self._count == self.capacity
        if halves:
            self._halve()
        row = [values.get(name, nan) for name in self._units]
        self._time[self._count] = time_ns
        self._values[self._count] = row
        self._count += 1
        return halves

    def taken(self) -> tuple[npt.NDArray[np.int64], dict[str, Series]]:
        """Copies of what is there; quantities that were never had are left out."""
        values = self._values[: self._count]
        series = {
            name: Series(unit, values[:, self._column[name]].copy())
            for name, unit in self._units.items()
            if not np.isnan(values[:, self._column[name]]).all()
        }
        return self._time[: self._count].copy(), series

    def _halve(self) -> None:
        """Of two neighbours the first stays; what it lacks it takes from the second."""
        half = self.capacity // 2
        first, second = self._values[::2], self._values[1::2]
        self._values[:half] = np.where(np.isnan(first), second, first)
        self._time[:half] = self._time[::2]
        self._count = half
        self.halved += 1
