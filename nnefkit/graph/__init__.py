"""The model that every room shares: `Graph`, `Operation`, `Tensor`."""

from nnefkit.graph.frozen import FrozenDict
from nnefkit.graph.model import DTYPES, Graph, Identifier, Operation, Tensor

__all__ = ["DTYPES", "FrozenDict", "Graph", "Identifier", "Operation", "Tensor"]
