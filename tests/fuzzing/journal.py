"""A file that says which input is being tried, even after its process was killed."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from pathlib import Path


class Journal:
    """The current target and the number of the next input of each target, in a mapped file."""

    def __init__(self, path: Path, targets: Sequence[str]) -> None:
        self.targets = list(targets)
        size = 8 * (1 + len(self.targets))
        if not path.exists():
            path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), size)

    def _get(self, index: int) -> int:
        return int(struct.unpack_from("<q", self._map, 8 * index)[0])

    def begin(self, target: str, number: int) -> None:
        """Record the input that is tried next: a later process continues after it."""
        index = self.targets.index(target)
        struct.pack_into("<q", self._map, 0, index)
        struct.pack_into("<q", self._map, 8 * (1 + index), number + 1)

    def next(self, target: str) -> int:
        """Return the number of the next input of a target."""
        return self._get(1 + self.targets.index(target))

    @property
    def current(self) -> tuple[str, int]:
        """The last input that was begun: its target and its number."""
        target = self.targets[self._get(0)]
        return target, self.next(target) - 1
