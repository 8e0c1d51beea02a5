"""Quantization: ranges from calibration inputs, ``graph.quant``, and what it costs."""

from nnefkit.analysis.quantization.precision import precision_curve
from nnefkit.analysis.quantization.precision_result import PrecisionCurve
from nnefkit.analysis.quantization.quantize import quantize
from nnefkit.analysis.quantization.report import (
    QuantizationReport,
    QuantizedGraph,
    QuantizedTensor,
)

__all__ = [
    "PrecisionCurve",
    "QuantizationReport",
    "QuantizedGraph",
    "QuantizedTensor",
    "precision_curve",
    "quantize",
]
