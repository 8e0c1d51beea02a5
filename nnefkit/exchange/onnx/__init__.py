"""ONNX models to graphs and back.

`reader` goes through a model node by node; the modules beside it have one function for each
operator type (`registry`). Writing is the lowering of the ONNX Runtime engine.
"""

from nnefkit.exchange.onnx.from_onnx import from_onnx
from nnefkit.exchange.onnx.to_onnx import to_onnx
from nnefkit.exchange.onnx.trace_onnx import trace_onnx

__all__ = ["from_onnx", "to_onnx", "trace_onnx"]
