"""`to_torch`: a graph as a PyTorch module that can be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnefkit.exchange.torch.from_torch import require_torch
from nnefkit.execution.engine_list import find_engine
from nnefkit.execution.preparation.integer_arithmetic import with_integer_arithmetic
from nnefkit.execution.preparation.runnable_graph import expanded, refuse_unsupported
from nnefkit.graph import Graph, expected_graph
from nnefkit.operations.shape_inference import infer_shapes

if TYPE_CHECKING:
    from nnefkit.execution.engines.torch.module import GraphModule


def to_torch(graph: Graph) -> GraphModule:
    """Convert a graph to a PyTorch module that can be trained.

    The variables are its parameters, named after their labels with dots for slashes.
    ``graph.with_data(module.weights())`` returns the graph with the trained weights.

    Args:
        graph: Any graph; its variables need data.

    Returns:
        The module. It takes one tensor for each input of the graph, in their order.

    Raises:
        ExecutionError: The torch engine cannot run some operations, or some variables have no data;
            the error lists all of them.
        DocumentError: The shapes of the graph do not fit.
        MissingPackageError: PyTorch is not installed.

    Example:
        >>> import torch
        >>> graph = nk.parse(
        ...     "version 1.0; graph net(x) -> (y)"
        ...     "{ x = external(shape = [1, 3]); y = relu(x); }"
        ... )
        >>> nk.to_torch(graph)(torch.tensor([[-1.0, 0.0, 2.0]]))
        tensor([[0., 0., 2.]])
    """
    require_torch()
    # This imports PyTorch.
    from nnefkit.execution.engines.torch.module import GraphModule

    plain = expanded(expected_graph(graph, data=True))
    refuse_unsupported(find_engine("torch"), plain, fallback=False)
    if any(tensor.shape is None for tensor in plain.tensors.values()):
        plain = infer_shapes(plain)
    return GraphModule(with_integer_arithmetic(plain))
