"""The model that all subpackages share: `Graph`, `Operation`, `Tensor`."""

from nnefkit.graph.expected import expected_graph
from nnefkit.graph.frozen import FrozenDict, FrozenList
from nnefkit.graph.model import Graph
from nnefkit.graph.operation import Identifier, Operation
from nnefkit.graph.tensor import DTYPES, Tensor

__all__ = [
    "DTYPES",
    "FrozenDict",
    "FrozenList",
    "Graph",
    "Identifier",
    "Operation",
    "Tensor",
    "expected_graph",
]


def __dir__() -> list[str]:
    return sorted(__all__)
