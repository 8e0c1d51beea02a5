"""Engines as writers of models: what a format cannot express is refused as engines refuse it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from nnefkit.execution.engine import Engine, Prepared
from nnefkit.graph import Graph, Operation


class WriterEngine(Engine):
    """A writer of models that an engine runs, and perhaps of others that it cannot run.

    Args:
        name: What error messages call it.
        engine: The engine whose lowering is written.
        objection: Returns why the format cannot express an operation of a graph; empty if it can.
    """

    name = ""

    def __init__(
        self, name: str, engine: Engine, objection: Callable[[Graph, Operation], str]
    ) -> None:
        self.name = name
        self.version = engine.version
        self._engine = engine
        self._objection = objection

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that the format has operators for."""
        return self._engine.operations

    def unsupported(self, graph: Graph) -> list[Operation]:
        """Return the operations that the format cannot express."""
        return [op for op in graph.operations if self._objection(graph, op)]

    def why_unsupported(self, graph: Graph, operation: Operation) -> str:
        """Return why the format cannot express an operation."""
        return self._objection(graph, operation)

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Not available, since this engine cannot run graphs."""
        raise NotImplementedError
