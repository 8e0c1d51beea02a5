"""Conversion of TFLite models to graphs, and back.

`flat_tables` reads FlatBuffers with checks, `opened_model` opens a file and verifies it, `nodes`
reads it operator by operator, `operators` has a function for each operator, and `call` has the
argument of these functions.
"""

from nnefkit.exchange.tflite.from_tflite import from_tflite
from nnefkit.exchange.tflite.to_tflite import to_tflite
from nnefkit.exchange.tflite.trace_tflite import trace_tflite

__all__ = ["from_tflite", "to_tflite", "trace_tflite"]
