"""The engine of ONNX Runtime: graphs are lowered to ONNX models that never leave the memory.

Each operation becomes the ONNX operators that say exactly the same (`registry` and the modules of
the sections of chapter 4), composed where no single one fits; `prepared` runs the model. Of inputs
that are no finite numbers, ONNX says less than NNEF: which of two is the greater if one is NaN, and
what an interpolation makes of infinity, is up to ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from nnefkit.execution.engine import Prepared, thread_count
from nnefkit.execution.packages import installed_version, require
from nnefkit.graph import Graph, Operation

_SINGLE = frozenset(
    {"acos", "acosh", "asin", "asinh", "atan", "atanh", "cosh", "gelu", "sinh", "tan"}
)
"""Operations that ONNX Runtime cannot compute in float64."""


class OnnxRuntimeEngine:
    """Runs graphs in ONNX Runtime, on the CPU.

    Args:
        threads: How many threads an operation may use; None for all the cores.
    """

    name = "onnxruntime"
    options = ("threads",)

    def __init__(self, threads: int | None = None) -> None:
        self.version = _version()
        self.threads = threads

    @property
    def partly(self) -> frozenset[str]:
        """Operations that it has in float32 only."""
        return _SINGLE

    def require(self) -> None:
        """Imports ONNX Runtime, and the package that models are made with."""
        for package in ("onnx", "onnxruntime"):
            require(self.name, package, "onnx")

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that it can run."""
        from nnefkit.execution.engines.onnxruntime.graph_lowering import OPERATIONS

        return OPERATIONS

    def unsupported(self, graph: Graph) -> list[Operation]:
        """The operations of `graph` that it cannot run, in their order."""
        from nnefkit.execution.dtypes import scalar_dtype

        known = self.operations
        if scalar_dtype(graph).itemsize == 8:
            known -= _SINGLE
        return [op for op in graph.operations if op.name not in known or _has_strings(graph, op)]

    def why_not(self, graph: Graph, op: Operation) -> str:
        """Why it cannot run an operation that `unsupported` names."""
        if op.name not in self.operations:
            return "ONNX has no operator for it."
        if _has_strings(graph, op):
            return "Tensors of strings cannot be computed."
        return "ONNX Runtime has it in float32 only, and the variables are float64."

    def configured(self, *, threads: int | None = None) -> OnnxRuntimeEngine:
        """The engine with another number of threads.

        Raises:
            InputError: there must be one at least.
        """
        return OnnxRuntimeEngine(thread_count(threads))

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Makes `graph` ready to compute the tensors of `fetch`, and those of `watched`."""
        from nnefkit.execution.engines.onnxruntime.onnx_session import PreparedModel

        return PreparedModel(graph, fetch, watched, self.threads)


def _has_strings(graph: Graph, op: Operation) -> bool:
    return any(
        graph.tensors[name].dtype == "string" for name in (*op.input_names, *op.output_names)
    )


_BUILDS = tuple(
    f"onnxruntime-{build}" for build in ("gpu", "directml", "openvino", "migraphx", "rocm", "qnn")
)
"""Other distributions of ONNX Runtime; the processor is in all of them."""


def _version() -> str:
    installed_version("onnxruntime", "onnx", "onnx")
    return installed_version("onnxruntime", "onnxruntime", "onnx", *_BUILDS)


def __getattr__(name: str) -> Any:
    # Made when it is first asked for: lowering a graph needs no ONNX Runtime.
    if name == "engine":
        engine = globals()["engine"] = OnnxRuntimeEngine()
        return engine
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
