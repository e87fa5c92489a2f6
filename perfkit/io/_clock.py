"""Times of events as integer nanoseconds, every digit kept that the file has."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import numpy as np
import numpy.typing as npt

from perfkit.io._patient import Chunk, Unsound
from perfkit.io._raw import RawEvent, decode_times
from perfkit.io._repairs import Repair, Repairs
from perfkit.model.events import Ints, Mask

Floats = npt.NDArray[np.float64]

_EXACT_US = 2**53 / 1000  # above this a float of microseconds has no room for nanoseconds
_ABSURD_US = 9e15 / 1000 * 512  # 146 years: int64 nanoseconds hold twice as much
_LONGEST = 19  # digits that may fit into int64
_ZERO, _POINT = ord("0"), ord(".")
_ROUNDED_NS = 600  # the most that a float takes from a time that int64 nanoseconds can hold

_decode_decimal = msgspec.json.Decoder(Decimal).decode


class Clock:
    """Reads the times of one trace; its first events decide whether they are on the ns scale."""

    def __init__(self, repairs: Repairs) -> None:
        self._repairs = repairs
        self._in_ns: bool | None = None

    def times(
        self, chunk: Chunk, rows: Ints, intervals: Sequence[RawEvent]
    ) -> tuple[Ints, Ints, Mask]:
        """Start and duration in ns, and which are usable.

        Args:
            rows: where the intervals stand in the chunk.
        """
        start_us = _floats([event.ts for event in intervals])
        dur_us = _floats([event.dur for event in intervals])
        if self._in_ns is None and intervals:
            self._in_ns = _are_ns(start_us)
            self._repairs.add(Repair.NANOSECONDS, int(self._in_ns))
        if self._in_ns:
            start_us /= 1000
            dur_us /= 1000
        ok = self._plausible(start_us, dur_us)
        if not ok.all():
            start_us, dur_us = np.where(ok, start_us, 0.0), np.where(ok, dur_us, 0.0)
        start, dur = _ns(start_us), _ns(dur_us)
        coarse = np.abs(start_us) > _EXACT_US
        # A time that a float rounds to a whole microsecond had digits, too, if its neighbours have.
        if coarse.any() and (self._in_ns or bool((start_us[coarse] % 1 != 0).any())):
            self._sharpen(chunk, rows, start, coarse)
        return start, dur, ok

    def _plausible(self, start_us: Floats, dur_us: Floats) -> Mask:
        """Which rows have usable times; missing and negative durations become 0 in place."""
        ok: Mask = (np.abs(start_us) < _ABSURD_US) & (dur_us >= 0) & (dur_us < _ABSURD_US)
        if ok.all():
            return ok
        started = ~np.isnan(start_us)
        self._repairs.add(Repair.NO_START, int((~started).sum()))
        self._repairs.add(Repair.NO_DURATION, int(np.isnan(dur_us).sum()))
        self._repairs.add(Repair.NEGATIVE, int((dur_us < 0).sum()))
        dur_us[np.isnan(dur_us) | (dur_us < 0)] = 0.0
        sane: Mask = (np.abs(start_us) < _ABSURD_US) & (dur_us < _ABSURD_US)
        self._repairs.add(Repair.ABSURD, int((started & ~sane).sum()))
        return sane

    def _sharpen(self, chunk: Chunk, rows: Ints, start: Ints, coarse: Mask) -> None:
        """Put back the digits of start times that a float lost, in place."""
        try:
            times = decode_times(chunk.text) if chunk.text is not None else None
        except Unsound:
            times = None
        if times is None:
            self._repairs.add(Repair.INEXACT, int(coarse.sum()))
            return
        chosen = np.flatnonzero(coarse)
        texts = [times[i].ts for i in rows[chosen].tolist()]
        rough = start[chosen]
        exact = None if self._in_ns else _aligned(texts, rough)
        if exact is None:
            digits = 0 if self._in_ns else 3
            exact = np.array(
                [
                    _scaled(bytes(text), digits, near)
                    for text, near in zip(texts, rough.tolist(), strict=True)
                ],
                np.int64,
            )
        start[chosen] = exact


def _floats(values: Sequence[float | None]) -> Floats:
    """NaN where there is no value."""
    try:
        return np.frombuffer(array("d", values))  # type: ignore[type-var]  # the quick way
    except TypeError:
        return np.array(values, np.float64)


def _aligned(texts: Sequence[msgspec.Raw], rough: Ints) -> Ints | None:
    """Times written as microseconds with three decimals and all equally long, in ns; else None.

    Were they of different lengths, digits would move from one to the next, and some time would
    be far from what the float said.
    """
    joined = np.frombuffer(b"".join(texts), np.uint8)
    width, rest = divmod(len(joined), len(texts))
    if rest or not 4 < width <= _LONGEST + 1:
        return None
    table = joined.reshape(len(texts), width)
    point = table[:, width - 4]
    digits = np.delete(table, width - 4, axis=1) - np.uint8(_ZERO)
    if not bool((point == _POINT).all()) or not bool((digits <= 9).all()):
        return None
    powers = 10 ** np.arange(width - 2, -1, -1, dtype=np.int64)
    exact = np.zeros(len(texts), np.int64)
    for column, power in enumerate(powers.tolist()):
        exact += digits[:, column] * np.int64(power)
    return exact if bool((np.abs(exact - rough) <= _ROUNDED_NS).all()) else None


def _scaled(number: bytes, digits: int, rough: int) -> int:
    """A JSON number times 10^digits, rounded, without floats; `rough` where it is no plain number."""
    whole, _, fraction = number.partition(b".")
    if len(fraction) <= digits and whole.isdigit() and (fraction.isdigit() or not fraction):
        return int(whole + fraction.ljust(digits, b"0"))
    try:
        return round(_decode_decimal(number).scaleb(digits))
    except Unsound:
        return rough


def _are_ns(start: Floats) -> bool:
    """True when times are nanoseconds: as microseconds most of them would lie centuries away."""
    size = np.abs(start[~np.isnan(start)])
    return len(size) > 0 and bool(((size >= _ABSURD_US) & (size < 2.0**63)).mean() > 0.5)


def _ns(microseconds: Floats) -> Ints:
    """Nanoseconds; whole microseconds and their fraction apart, so that large clocks stay exact."""
    whole = np.floor(microseconds)
    fraction = np.rint((microseconds - whole) * 1000)
    result: Ints = whole.astype(np.int64) * 1000 + fraction.astype(np.int64)
    return result
