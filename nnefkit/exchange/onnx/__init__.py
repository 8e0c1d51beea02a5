"""Conversion of ONNX models to graphs, and of graphs to ONNX models.

`opened_model` opens a model, `nodes` reads it node by node, `operators` has a function for each
operator type, and `call` has the argument of these functions. Graphs are written by the lowering of
the ONNX Runtime engine.
"""

from nnefkit.exchange.onnx.from_onnx import from_onnx
from nnefkit.exchange.onnx.to_onnx import to_onnx
from nnefkit.exchange.onnx.trace_onnx import trace_onnx

__all__ = ["from_onnx", "to_onnx", "trace_onnx"]
