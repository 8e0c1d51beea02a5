"""ONNX Runtime as an engine: graphs are lowered to ONNX models in memory.

Each operation becomes one ONNX operator of exactly the same meaning, or several where no single one
fits (`operations`, one module for each section of chapter 4). `graph_lowering` lowers a graph,
`lowered_model` makes an ONNX model of it, `onnx_session` runs the model.

ONNX specifies less than NNEF for NaN and infinity: which of two numbers is greater if one is NaN,
and how infinity is interpolated, depends on ONNX Runtime. Maxima and minima of axes and windows are
computed in a form that is right for NaN and minus infinity where inputs or small weights hold them.
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

_SINGLE = frozenset(
    {"acos", "acosh", "asin", "asinh", "atan", "atanh", "cosh", "gelu", "sinh", "tan"}
)
"""Operations that ONNX Runtime cannot compute in float64."""


class OnnxRuntimeEngine(Engine):
    """The engine that runs graphs in ONNX Runtime, on the CPU.

    Args:
        threads: How many threads an operation may use; None for all the cores.

    Raises:
        InputError: `threads` is not a number of threads.
        MissingPackageError: ``onnx`` or ``onnxruntime`` is not installed.
    """

    name = "onnxruntime"
    computes_integers = True
    options = ("threads",)

    def __init__(self, threads: int | None = None) -> None:
        self.version = _version()
        self.threads = thread_count(threads)

    @property
    def partly(self) -> frozenset[str]:
        """Names of the operations that it can run in float32 only."""
        return _SINGLE

    def load(self) -> None:
        """Import ONNX Runtime, and ``onnx``, which makes the models."""
        for package in ("onnx", "onnxruntime"):
            import_package(self.name, package, _INSTALL)

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that it can run."""
        from nnefkit.execution.engines.onnxruntime.graph_lowering import OPERATIONS

        return OPERATIONS

    def unsupported(self, graph: Graph) -> list[Operation]:
        """Return the operations of `graph` that it cannot run, in their order."""
        from nnefkit.execution.dtypes import scalar_dtype

        known = self.operations
        if scalar_dtype(graph).itemsize == 8:
            known -= _SINGLE
        return [op for op in graph.operations if op.name not in known or _has_strings(graph, op)]

    def why_unsupported(self, graph: Graph, operation: Operation) -> str:
        """Return why it cannot run an operation that `unsupported` names."""
        if operation.name not in self.operations:
            return "No ONNX operators express it."
        if _has_strings(graph, operation):
            return "ONNX Runtime does not compute tensors of strings."
        return "ONNX Runtime computes it in float32 only, and the variables are float64."

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Prepare `graph` to compute the tensors of `fetch`, and those of `watched`."""
        from nnefkit.execution.engines.onnxruntime.onnx_session import OnnxSession

        return OnnxSession(graph, fetch, watched, self.threads)


def _has_strings(graph: Graph, op: Operation) -> bool:
    return any(
        graph.tensors[name].dtype == "string" for name in (*op.input_names, *op.output_names)
    )


_INSTALL = 'pip install "nnefkit[onnx]"'
_BUILDS = tuple(
    f"onnxruntime-{build}" for build in ("gpu", "directml", "openvino", "migraphx", "rocm", "qnn")
)
"""Other distributions of ONNX Runtime; all of them can use the CPU."""


def _version() -> str:
    installed_version("onnxruntime", "onnx", _INSTALL)
    return installed_version("onnxruntime", "onnxruntime", _INSTALL, *_BUILDS)
