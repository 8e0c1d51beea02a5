"""Quantization: ranges from calibration inputs, ``graph.quant``, and what it costs."""

from nnefkit.analysis.quantization.quantize import quantize
from nnefkit.analysis.quantization.report import (
    QuantizationReport,
    QuantizedGraph,
    QuantizedTensor,
)

__all__ = ["QuantizationReport", "QuantizedGraph", "QuantizedTensor", "quantize"]
