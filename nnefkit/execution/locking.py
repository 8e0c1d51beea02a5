"""Locks that a forked process does not inherit in the state that some other thread left them in."""

from __future__ import annotations

import os
from threading import Lock


class ProcessLock:
    """One lock for each process: ``with lock.here(): ...``.

    A forked process has a copy of every lock, but not the thread that would open it again.
    """

    def __init__(self) -> None:
        self._locks: dict[int, Lock] = {}

    def here(self) -> Lock:
        """The lock of this process."""
        # A lock of the interpreter itself: no interrupt comes between its closing and the block.
        return self._locks.setdefault(os.getpid(), Lock())
