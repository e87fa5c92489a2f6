"""What was mended while a trace was read: counted by kind, told as gaps."""

from __future__ import annotations

from collections import Counter
from enum import Enum

from perfkit.model.run import Gap


class Repair(Enum):
    """A kind of mending; the value is (what, why) with `{n}` for how often."""

    GZIP_CUT = ("the end of the trace is missing", "the gzip stream stops early")
    GZIP_DAMAGED = ("the end of the trace may be missing", "the gzip stream is damaged")
    GZIP_TRAILING = ("bytes after the gzip stream were ignored", "they are not gzip data")
    NOT_GZIP = ("the trace was read as plain JSON", "the file is named .gz but is not compressed")
    ENCODING = ("{n} undecodable places in texts were replaced", "the trace is not valid UTF-8")
    UTF16 = ("the trace was converted to UTF-8", "it is written in UTF-16")
    NOT_JSON = ("the trace was read piece by piece", "it is not valid JSON")
    CUT = ("the end of the trace is missing", "the JSON stops in the middle")
    TWO_LISTS = ("several lists of events were joined", "the trace has the key traceEvents twice")
    LOST = ("{n} events were dropped", "their JSON could not be mended")
    NOT_OBJECT = ("{n} entries were dropped", "they are no event objects")
    CONTROL = ("{n} control characters were blanked", "JSON texts may not hold them")
    ESCAPE = ("{n} invalid escapes were mended", "the trace's writer did not escape its texts")
    QUOTE = ("{n} names with bare quotes were mended", "the trace's writer did not escape them")
    NOT_A_NUMBER = ("{n} values such as NaN or N/A count as unknown", "JSON has no such numbers")
    ODD_FIELDS = (
        "{n} events had fields of an unexpected type",
        "they were converted where possible",
    )
    NO_START = ("{n} events were dropped", "they have no usable start time")
    NO_DURATION = ("{n} events count as instants", "their duration is missing")
    NEGATIVE = ("{n} events count as instants", "their duration is negative")
    ABSURD = ("{n} events were dropped", "their times lie centuries away")
    NANOSECONDS = ("times were read as nanoseconds", "as microseconds they lie centuries away")
    INEXACT = ("{n} start times are rounded to a quarter of a microsecond", "too large for a float")
    ODD_ARGS = ("{n} events lost their arguments", "the arguments are no object or out of range")
    LONG_SHAPES = ("shapes of some operators were dropped", "their lists are too long to keep")
    MANY_SHAPES = (
        "shapes of some operators were dropped",
        "nearly every call has shapes of its own",
    )
    UNPAIRED = ("{n} begin or end marks were dropped", "they have no partner")


ENDS_EARLY = tuple(repair.value[0] for repair in (Repair.CUT, Repair.GZIP_CUT, Repair.GZIP_DAMAGED))
"""`what` of the gaps that say that not the whole trace was there to be read."""


class Repairs:
    """Counts repairs while one trace is read."""

    def __init__(self) -> None:
        self._counts: Counter[Repair] = Counter()

    def add(self, repair: Repair, count: int = 1) -> None:
        if count:
            self._counts[repair] += count

    def note(self, repair: Repair) -> None:
        """As `add`, for what is told once however often it occurs."""
        self._counts[repair] = 1

    def merge(self, other: Repairs) -> None:
        self._counts.update(other._counts)

    def gaps(self) -> tuple[Gap, ...]:
        """One gap per kind, in the order in which the kinds first appeared."""
        return tuple(
            Gap(repair.value[0].replace("{n}", f"{count:,}"), repair.value[1])
            for repair, count in self._counts.items()
        )
