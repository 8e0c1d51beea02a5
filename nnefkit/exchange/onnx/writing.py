"""NNEF graphs to ONNX models, by the lowering of the ONNX Runtime engine."""

from __future__ import annotations

import os
from typing import Any

from nnefkit.exchange.onnx.loading import require
from nnefkit.execution.engines.onnxruntime.builder import OPSET
from nnefkit.execution.engines.onnxruntime.model import exported
from nnefkit.graph import Graph, expected_graph
from nnefkit.operations.shapes import infer_shapes
from nnefkit.storage import expected_path, replacing_file


def to_onnx(
    graph: Graph, path: str | os.PathLike[str] | None = None, *, opset: int | None = None
) -> Any:
    """The graph as an ONNX model, its names kept.

    Variables that the graph updates become inputs, and their new values outputs, after the others.

    Args:
        graph: Any graph; its variables need data.
        path: Where to write the model, if anywhere.
        opset: The version of the ONNX operators; None for the newest that ONNX Runtime has.

    Returns:
        The model, an ``onnx.ModelProto`` that passes ONNX's checker.

    Raises:
        MissingPackageError: the package onnx is not installed.
        ExecutionError: ONNX cannot say an operation; all of them at once.
        StorageError: the file cannot be written.
    """
    graph = expected_graph(graph)
    require()
    import onnx

    from nnefkit.execution.engine import refuse_unsupported
    from nnefkit.execution.engines.onnxruntime import OnnxRuntimeEngine
    from nnefkit.execution.expansion import expanded

    graph = expanded(graph)

    refuse_unsupported(_Writer(OnnxRuntimeEngine()), graph)
    if any(tensor.shape is None for tensor in graph.tensors.values()):
        graph = infer_shapes(graph)
    model = exported(graph, opset=OPSET if opset is None else opset)
    onnx.checker.check_model(model)
    if path is not None:
        with replacing_file(expected_path(path)) as file:
            file.write(model.SerializeToString())
    return model


class _Writer:
    """The engine as one that only writes: what it lacks for running is no reason to refuse."""

    name = "onnx"

    def __init__(self, engine: Any) -> None:
        self.version = engine.version
        self.operations = engine.operations
        self._engine = engine

    def unsupported(self, graph: Graph) -> list[Any]:
        """The operations that ONNX has no operators for."""
        return [op for op in self._engine.unsupported(graph) if op.name not in self.operations]

    def prepare(self, graph: Graph, fetch: Any, watched: Any = ()) -> Any:
        """No engine to run with."""
        raise NotImplementedError
