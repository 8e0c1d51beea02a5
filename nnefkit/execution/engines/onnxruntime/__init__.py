"""The engine of ONNX Runtime: graphs are lowered to ONNX models that never leave the memory.

Each operation becomes the ONNX operators that say exactly the same (`registry` and the modules of
the sections of chapter 4), composed where no single one fits; `prepared` runs the model. Of inputs
that are no finite numbers, ONNX says less than NNEF: which of two is the greater if one is NaN, and
what an interpolation makes of infinity, is up to ONNX Runtime.
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
    """Runs graphs in ONNX Runtime, on the CPU.

    Args:
        threads: How many threads an operation may use; None for all the cores.
    """

    name = "onnxruntime"
    options = ("threads",)

    def __init__(self, threads: int | None = None) -> None:
        self.version = _version()
        self.threads = thread_count(threads)

    @property
    def partly(self) -> frozenset[str]:
        """Operations that it has in float32 only."""
        return _SINGLE

    def load(self) -> None:
        """Import ONNX Runtime, and the package that models are made with."""
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
            return "ONNX has no operator for it."
        if _has_strings(graph, operation):
            return "Tensors of strings cannot be computed."
        return "ONNX Runtime has it in float32 only, and the variables are float64."

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Make `graph` ready to compute the tensors of `fetch`, and those of `watched`."""
        from nnefkit.execution.engines.onnxruntime.onnx_session import PreparedModel

        return PreparedModel(graph, fetch, watched, self.threads)


def _has_strings(graph: Graph, op: Operation) -> bool:
    return any(
        graph.tensors[name].dtype == "string" for name in (*op.input_names, *op.output_names)
    )


_INSTALL = 'pip install "nnefkit[onnx]"'
_BUILDS = tuple(
    f"onnxruntime-{build}" for build in ("gpu", "directml", "openvino", "migraphx", "rocm", "qnn")
)
"""Other distributions of ONNX Runtime; the processor is in all of them."""


def _version() -> str:
    installed_version("onnxruntime", "onnx", _INSTALL)
    return installed_version("onnxruntime", "onnxruntime", _INSTALL, *_BUILDS)
