"""tract as an engine, the one that NNEF is deployed with, in a process of its own.

`support` says what it can do, `document` writes what it reads, `process` watches over the child
process, in which `worker` runs.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from nnefkit.errors import InputError
from nnefkit.execution.engine import Prepared
from nnefkit.execution.engines.tract.support import CLAIMED, CONDITIONAL, objection
from nnefkit.execution.packages import installed_version
from nnefkit.graph import Graph, Operation

TIMEOUT = 300.0
"""Seconds after which a request is given up, where nothing else is said."""


_FOREVER = 1_000_000


class TractEngine:
    """Runs what tract is known to compute right, on one thread of the CPU, in float32."""

    name = "tract"
    options = ("timeout",)

    def __init__(self, timeout: float | None = TIMEOUT) -> None:
        self.version = installed_version(self.name, "tract", "tract")
        self._timeout = timeout

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that it can run, at least with some of their attributes."""
        return CLAIMED

    @property
    def partly(self) -> frozenset[str]:
        """Operations that it can run with some of their attributes only."""
        return CONDITIONAL

    def unsupported(self, graph: Graph) -> list[Operation]:
        """The operations of `graph` that it cannot run, in their order."""
        return [op for op in graph.operations if objection(graph, op)]

    def why_not(self, graph: Graph, op: Operation) -> str:
        """What keeps it from running an operation."""
        return objection(graph, op)

    def configured(self, *, timeout: Any = TIMEOUT) -> TractEngine:
        """The engine with another limit.

        Args:
            timeout: Seconds that preparing or one run may take; None for any time.

        Raises:
            InputError: the limit is not positive.
        """
        if timeout is None:
            return TractEngine(None)
        if not isinstance(timeout, (int, float, np.number)) or isinstance(timeout, bool):
            raise InputError(f"'timeout' must be a number of seconds or None, not {timeout!r}")
        if not 0 < timeout < _FOREVER:
            raise InputError(
                f"'timeout' is {timeout}, but must be positive and less than {_FOREVER:,} seconds",
                hint="timeout=None allows any time.",
            )
        return TractEngine(float(timeout))

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Makes `graph` ready to compute the tensors of `fetch`, and those of `watched`."""
        from nnefkit.execution.engines.tract.tract_model import PreparedGraph

        return PreparedGraph(graph, fetch, watched, self._timeout)


engine = TractEngine()
