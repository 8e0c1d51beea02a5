"""tract as an engine, the one that NNEF is deployed with, in a process of its own.

`support` says what it can do, `document` writes what it reads, `process` watches over the child
process, in which `worker` runs.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib import metadata
from importlib.util import find_spec

from nnefkit.errors import InputError, MissingPackageError
from nnefkit.execution.engine import Prepared
from nnefkit.execution.engines.tract.support import CLAIMED, objection
from nnefkit.graph import Graph, Operation

TIMEOUT = 300.0
"""Seconds after which a request is given up, where nothing else is said."""


class TractEngine:
    """Runs what tract is known to compute right, on one thread of the CPU, in float32."""

    name = "tract"
    options = ("timeout",)

    def __init__(self, timeout: float | None = TIMEOUT) -> None:
        self._timeout = timeout

    @property
    def version(self) -> str:
        """Of tract."""
        return metadata.version("tract")

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that it can run, at least with some of their attributes."""
        return CLAIMED

    def unsupported(self, graph: Graph) -> list[Operation]:
        """The operations of `graph` that it cannot run, in their order."""
        return [op for op in graph.operations if objection(graph, op)]

    def why_not(self, graph: Graph, op: Operation) -> str:
        """What keeps it from running an operation, and what would mend it."""
        return objection(graph, op)

    def configured(self, *, timeout: float | None = TIMEOUT) -> TractEngine:
        """The engine with another limit.

        Args:
            timeout: Seconds that preparing or one run may take; None for any time.

        Raises:
            InputError: the limit is not positive.
        """
        if timeout is not None and not timeout > 0:
            raise InputError(f"'timeout' is {timeout}, but must be positive")
        return TractEngine(timeout)

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Makes `graph` ready to compute the tensors of `fetch`, and those of `watched`."""
        from nnefkit.execution.engines.tract.prepared import PreparedGraph

        return PreparedGraph(graph, fetch, watched, self._timeout)


if find_spec("tract") is None:
    raise MissingPackageError(
        "the engine 'tract' needs the package tract, which is not installed",
        hint='pip install "nnefkit[tract]"',
    )
engine = TractEngine()
