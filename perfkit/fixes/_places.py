"""Lines of a text while it is being changed: where those of the text as given are now, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher

from perfkit.fixes import _seen
from perfkit.model.costs import OpCost

Span = tuple[int, int]
"""First and last line, from 1."""


class Places:
    """Follows lines through the rounds of a fix.

    Args:
        text: as it was given.
        at: the lines of interest; empty for all.
        rows: what a run saw at its lines.
    """

    def __init__(
        self,
        text: str,
        at: Sequence[int] = (),
        rows: Mapping[int, Sequence[OpCost]] | None = None,
    ) -> None:
        self._rows = rows or {}
        self._given = self._now = text
        self._at = frozenset(at)
        self._here = self._at
        self._pairs: list[tuple[Span, Span]] = []

    @property
    def text(self) -> str:
        """As it is now."""
        return self._now

    def follow(self, text: str) -> None:
        """The text is this now."""
        if text == self._now:
            return
        self._now = text
        matcher = SequenceMatcher(None, _lines(self._given), _lines(text))
        self._pairs = []
        for kind, first, last, begins, ends in matcher.get_opcodes():
            if kind == "equal":
                single = range(last - first)
                self._pairs += [_pair(first + n, first + n, begins + n, begins + n) for n in single]
            else:
                self._pairs.append(_pair(first, last - 1, begins, ends - 1))
        self._here = frozenset(
            line
            for (first, last), (begins, ends) in self._pairs
            if any(first <= one <= last for one in self._at)
            for line in range(begins, ends + 1)
        )

    def wants(self, spans: Iterable[Span]) -> bool:
        """Whether one of these spans of the present text holds a line of interest."""
        return not self._at or any(
            first <= line <= last for first, last in spans for line in self._here
        )

    def seen(self, spans: Sequence[Span]) -> list[OpCost]:
        """What a run saw at spans of the present text."""
        return _seen.at(self._rows, self.given(spans)) if self._rows else []

    def given(self, spans: Iterable[Span]) -> tuple[Span, ...]:
        """Spans of the present text in the text as it was given; those that only arose left out."""
        if self._given == self._now:
            return tuple(spans)
        found = []
        for first, last in spans:
            lines = [
                line
                for old, (begins, ends) in self._pairs
                if begins <= last and ends >= first and old[0] <= old[1]
                for line in old
            ]
            if lines:
                found.append((min(lines), max(lines)))
        return tuple(found)


def _pair(first: int, last: int, begins: int, ends: int) -> tuple[Span, Span]:
    return (first + 1, last + 1), (begins + 1, ends + 1)


def _lines(text: str) -> list[str]:
    return text.splitlines()
