"""The interface of the Khronos `nnef` package, version 1.0.10, on top of nnefkit.

Scripts written for that package run with one line changed, ``import nnefkit.compat as nnef``:
names, signatures, defaults and the form of results are the same, and graphs are made of lists and
dictionaries that may be changed. ``graph.to_nnefkit()`` turns such a draft into an
`nnefkit.Graph`, with all that it can do; ``Graph.from_nnefkit(graph)`` goes the other way.

What differs: errors list all problems with their places and are `nnefkit.NnefError`; attributes are
not rounded to 32 bits; what the Khronos package loses when it saves a graph (quantization and the
definitions of custom operations) is saved; files with items of any bit width are read.

Example:
    >>> import nnefkit.compat as nnef
    >>> graph = nnef.parse_string("version 1.0; graph net( x ) -> ( y ) {"
    ...                           " x = external(shape = [1, 3]); y = softmax(x); }")
    >>> nnef.infer_shapes(graph)
    >>> graph.tensors["y"]
    Tensor(name='y', dtype='scalar', shape=[1, 3], data=None, quantization={})
"""

from nnefkit.compat.drafts import Graph, Operation, Tensor
from nnefkit.compat.models import load_graph, save_graph
from nnefkit.compat.parsing import parse_file, parse_string
from nnefkit.compat.printing import (
    format_argument,
    format_extensions,
    format_graph,
    format_invocation,
    format_result,
    format_shapes,
    format_version,
)
from nnefkit.compat.session import Session
from nnefkit.compat.shapes import StandardOperations, infer_shapes
from nnefkit.compat.tensor_streams import read_tensor, write_tensor
from nnefkit.errors import NnefError as Error
from nnefkit.graph import Identifier

__all__ = [
    "Error",
    "Graph",
    "Identifier",
    "Operation",
    "Session",
    "StandardOperations",
    "Tensor",
    "format_argument",
    "format_extensions",
    "format_graph",
    "format_invocation",
    "format_result",
    "format_shapes",
    "format_version",
    "infer_shapes",
    "load_graph",
    "parse_file",
    "parse_string",
    "read_tensor",
    "save_graph",
    "write_tensor",
]


def __dir__() -> list[str]:
    return sorted(__all__)
