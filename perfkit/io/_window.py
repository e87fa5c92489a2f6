"""A sliding window over a stream of text: what a chunk is cut from, and how far one may look ahead."""

from __future__ import annotations

from collections.abc import Iterator


class Window:
    """The next part of a text in `data`; `final` says that nothing comes after it.

    Args:
        blocks: the text, none of them empty.
        limit: bytes that `data` may hold, more or less a block.
    """

    def __init__(self, blocks: Iterator[bytes], limit: int) -> None:
        self.data = b""
        self.final = False
        self._blocks = blocks
        self._limit = limit

    def fill(self, size: int) -> None:
        """Look ahead until `data` holds `size` bytes, the limit, or everything that is left."""
        size = min(size, self._limit)
        if self.final or len(self.data) >= size:
            return
        parts, held = [self.data], len(self.data)
        while held < size:
            block = next(self._blocks, None)
            if block is None:
                self.final = True
                break
            parts.append(block)
            held += len(block)
        self.data = b"".join(parts)

    def grow(self) -> bool:
        """Look further ahead; False where nothing more is to be had."""
        before = len(self.data)
        self.fill(2 * before + 1)
        return len(self.data) > before

    def drop(self, size: int) -> None:
        """The first `size` bytes are done with."""
        self.data = self.data[size:]
