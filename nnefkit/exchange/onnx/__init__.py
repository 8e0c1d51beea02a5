"""ONNX models to graphs and back.

`reader` goes through a model node by node; the modules beside it have one function for each
operator type (`registry`). Writing is the lowering of the ONNX Runtime engine.
"""

from nnefkit.exchange.onnx.reading import from_onnx
from nnefkit.exchange.onnx.tracing import trace_onnx
from nnefkit.exchange.onnx.writing import to_onnx

__all__ = ["from_onnx", "to_onnx", "trace_onnx"]
