"""`to_torch`: a graph as a module that can be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnefkit.exchange.torch.from_torch import require
from nnefkit.graph import Graph, expected_graph

if TYPE_CHECKING:
    from nnefkit.execution.engines.torch.module import GraphModule


def to_torch(graph: Graph) -> GraphModule:
    """A PyTorch module that computes `graph`, and that can be trained.

    Variables are its parameters, named after their labels with dots for slashes.
    ``graph.with_data(module.weights())`` takes what was trained back into the graph.

    Args:
        graph: Any graph; its variables need data.

    Raises:
        ExecutionError: the torch engine cannot run an operation, or a variable has no values; all
            of them at once.
        DocumentError: the shapes of the graph do not fit.
        MissingPackageError: PyTorch is not installed.
    """
    require()
    from nnefkit.execution.engine_list import find_engine
    from nnefkit.execution.engines.torch.module import GraphModule
    from nnefkit.execution.runnable import expanded, refuse_unsupported
    from nnefkit.operations.shape_inference import infer_shapes

    plain = expanded(expected_graph(graph))
    refuse_unsupported(find_engine("torch"), plain, fallback=False)
    if any(tensor.shape is None for tensor in plain.tensors.values()):
        plain = infer_shapes(plain)
    return GraphModule(plain)
