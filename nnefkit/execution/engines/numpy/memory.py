"""Memory for results: an arena planned ahead, and chunks for results that outlive a run."""

from __future__ import annotations

import math
from bisect import insort
from sys import getrefcount
from typing import Any

import numpy as np

from nnefkit.arrays import Array

ALIGNMENT = 64
"""Size of a cache line, and of the widest vector, in bytes."""


class Arena:
    """The plan of a block of memory: parts of it are taken and freed before it exists."""

    def __init__(self) -> None:
        self.size = 0
        """Size of the block in bytes."""
        self._free: list[tuple[int, int]] = []
        self._taken: dict[int, int] = {}

    def take(self, size: int) -> int:
        """Return the offset of `size` free bytes, in the smallest gap that they fit into."""
        size = -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
        gaps = [(stop - start, start, stop) for start, stop in self._free if stop - start >= size]
        if gaps:
            _, start, stop = min(gaps)
            self._free.remove((start, stop))
            if stop - start > size:
                insort(self._free, (start + size, stop))
        elif self._free and self._free[-1][1] == self.size:
            # The last gap reaches the end of the block: extend it.
            start, _ = self._free.pop()
            self.size = start + size
        else:
            start = self.size
            self.size += size
        self._taken[start] = size
        return start

    def free(self, start: int) -> None:
        """Free the bytes at an offset that `take` returned."""
        stop = start + self._taken.pop(start)
        for gap in [gap for gap in self._free if gap[1] == start or gap[0] == stop]:
            self._free.remove(gap)
            start, stop = min(start, gap[0]), max(stop, gap[1])
        insort(self._free, (start, stop))


class Chunks:
    """Memory for many long-lived arrays, allocated in a few large pieces.

    The first access to each page of new memory is slow. NumPy requests huge pages for arrays of
    4 MiB and more, so small arrays share a large piece. A piece is reused when no array refers to
    it.
    """

    def __init__(self, piece: int = 16 << 20) -> None:
        self._piece = piece
        self._pieces: list[Array] = []
        self._rest = _NOTHING

    def renew(self) -> None:
        """Start another set of arrays; earlier arrays stay valid as long as they are referenced."""
        self._rest = _NOTHING
        self._pieces = [self._pieces[number] for number in self._unused()]

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return a contiguous array of undefined values."""
        size = math.prod(shape) * dtype.itemsize
        if size > self._rest.size:
            self._rest = _NOTHING
            self._rest = self._next(size + ALIGNMENT)
        taken: Array = self._rest[:size]
        self._rest = self._rest[-(-size // ALIGNMENT) * ALIGNMENT :]
        return taken.view(dtype).reshape(shape)

    def _next(self, size: int) -> Array:
        for number in self._unused():
            if self._pieces[number].size >= size:
                piece = self._pieces[number]
                break
        else:
            piece = np.empty(max(size, self._piece), np.uint8)
            self._pieces.append(piece)
        return piece[-piece.ctypes.data % ALIGNMENT :]

    def _unused(self) -> list[int]:
        """Return the pieces that no array refers to: an array is a reference to its piece."""
        pieces = [np.empty(0, np.uint8), *self._pieces]
        # The number of references to an object that only this list (and the other one) holds.
        alone = getrefcount(pieces[0]) + 1
        numbers = range(len(self._pieces))
        return [number for number in numbers if getrefcount(pieces[number + 1]) <= alone]


_NOTHING = np.empty(0, np.uint8)
