"""Other formats to graphs and back: one folder a framework.

`builder` makes graphs operation by operation, `verification` proves that they compute what their
source does.
"""

from nnefkit.exchange.onnx import from_onnx, to_onnx, trace_onnx
from nnefkit.exchange.torch import from_torch, to_torch, trace_torch

__all__ = ["from_onnx", "from_torch", "to_onnx", "to_torch", "trace_onnx", "trace_torch"]
