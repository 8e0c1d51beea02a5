"""Models of other frameworks to graphs and back, with a folder for each framework.

All of them share `source_graph`, to which their readers add operations; `call`, the argument of
these readers; `reshaping` and `compositions`, the functions that they call; `emission`, which makes
the graph; and `proof`, which checks that it computes what the source computes.
"""

from nnefkit.exchange.onnx import from_onnx, to_onnx, trace_onnx
from nnefkit.exchange.torch import from_torch, to_torch, trace_torch

__all__ = ["from_onnx", "from_torch", "to_onnx", "to_torch", "trace_onnx", "trace_torch"]
