"""LiteRT as an engine: the runtime of TFLite models on phones, here on the CPU with XNNPACK.

Each operation becomes TFLite operators of the same meaning (`operations`, by the sections of
chapter 4). `channels_last` chooses the order of the axes of all tensors so that few are transposed,
`graph_lowering` lowers the graph, `fusion` lets operators apply the activations that follow them,
`flat_file` makes a file of it, and `litert_session` runs the file. `support` knows what TFLite
cannot express. `nnefkit.to_tflite` writes the same files.
"""

from __future__ import annotations

from collections.abc import Collection

from nnefkit.execution.engine import (
    Engine,
    Prepared,
    import_package,
    installed_version,
    thread_count,
)
from nnefkit.graph import Graph, Operation

_INSTALL = 'pip install "nnefkit[tflite]"'


class LitertEngine(Engine):
    """The engine that runs graphs in LiteRT, on the CPU by XNNPACK, in float32.

    Args:
        threads: How many threads an operation may use; None for one.

    Raises:
        InputError: `threads` is not a number of threads.
        MissingPackageError: ``tflite``, ``flatbuffers`` or ``ai-edge-litert`` is not installed.
    """

    name = "litert"
    computes_integers = True
    options = ("threads",)

    def __init__(self, threads: int | None = None) -> None:
        for package in ("tflite", "flatbuffers"):
            installed_version(self.name, package, _INSTALL)
        self.version = installed_version(self.name, "ai_edge_litert", _INSTALL, "ai-edge-litert")
        self.threads = thread_count(threads)

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that it can run, at least for some attributes."""
        from nnefkit.execution.engines.litert.support import OPERATIONS

        return OPERATIONS

    @property
    def partly(self) -> frozenset[str]:
        """Names of the operations that it can run for some attributes or data types only."""
        from nnefkit.execution.engines.litert.support import CONDITIONAL

        return CONDITIONAL

    def load(self) -> None:
        """Import LiteRT, and the packages that make files."""
        for package in ("flatbuffers", "tflite", "ai_edge_litert.interpreter"):
            import_package(self.name, package, _INSTALL)

    def unsupported(self, graph: Graph) -> list[Operation]:
        """Return the operations of `graph` that it cannot run, in their order."""
        from nnefkit.execution.engines.litert.support import objection

        return [op for op in graph.operations if objection(graph, op)]

    def why_unsupported(self, graph: Graph, operation: Operation) -> str:
        """Return why it cannot run an operation that `unsupported` names."""
        from nnefkit.execution.engines.litert.support import objection

        return objection(graph, operation)

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Prepare `graph` to compute the tensors of `fetch`, and those of `watched`."""
        from nnefkit.execution.engines.litert.litert_session import LitertSession

        return LitertSession(graph, fetch, watched, self.threads)
