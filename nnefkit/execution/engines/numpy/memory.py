"""Where results lie: places in one block of memory, used again when nobody needs them any more."""

from __future__ import annotations

from bisect import insort

ALIGNMENT = 64
"""Bytes of a cache line, and of the widest vector."""


class Arena:
    """Plans a block of memory: takes and frees places in it before it exists."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes of the block."""
        self._free: list[tuple[int, int]] = []
        self._taken: dict[int, int] = {}

    def take(self, size: int) -> int:
        """The offset of `size` bytes that are free: the smallest gap that they fit into."""
        size = -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
        gaps = [(stop - start, start, stop) for start, stop in self._free if stop - start >= size]
        if gaps:
            _, start, stop = min(gaps)
            self._free.remove((start, stop))
            if stop - start > size:
                insort(self._free, (start + size, stop))
        elif self._free and self._free[-1][1] == self.size:
            # The last gap reaches the end of the block: only what it lacks is added.
            start, _ = self._free.pop()
            self.size = start + size
        else:
            start = self.size
            self.size += size
        self._taken[start] = size
        return start

    def free(self, start: int) -> None:
        """Gives back what `take` returned."""
        stop = start + self._taken.pop(start)
        for gap in [gap for gap in self._free if gap[1] == start or gap[0] == stop]:
            self._free.remove(gap)
            start, stop = min(start, gap[0]), max(stop, gap[1])
        insort(self._free, (start, stop))
