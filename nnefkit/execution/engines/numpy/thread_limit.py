"""A limit on the threads that NumPy's matrix products use while a graph runs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from nnefkit.arrays import Array
from nnefkit.execution.engine import Prepared, ProcessLock, Watch

_LOCK = ProcessLock()
"""The number of threads is a setting of the whole process."""


class ThreadLimit:
    """A prepared graph that runs with its own number of threads."""

    def __init__(self, prepared: Prepared, threads: int) -> None:
        self._prepared = prepared
        self._threads = threads

    def __call__(self, feeds: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Compute the fetched tensors; see `nnefkit.execution.engine.Prepared`."""
        with _LOCK.here(), _libraries().limit(limits=self._threads, user_api="blas"):
            return self._prepared(feeds, watch)


@cache
def _libraries() -> Any:
    """Return the libraries of this process that use threads; finding them takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
