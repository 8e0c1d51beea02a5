"""Answers about graphs and runs: what is wrong with a model, where two runs diverge."""

from nnefkit.analysis.blame import blame
from nnefkit.analysis.blame_result import Blame
from nnefkit.analysis.compared_inputs import ComparedInputs
from nnefkit.analysis.compared_tensor import ComparedTensor
from nnefkit.analysis.comparison import Comparison
from nnefkit.analysis.costs import Cost, Profile, cost, profile
from nnefkit.analysis.differences import Diff, diff
from nnefkit.analysis.inputs_side_by_side import compare_many
from nnefkit.analysis.metrics import Metrics
from nnefkit.analysis.quantization import (
    PrecisionCurve,
    QuantizationReport,
    QuantizedGraph,
    QuantizedTensor,
    precision_curve,
    quantize,
)
from nnefkit.analysis.sensitivity import sensitivity
from nnefkit.analysis.sensitivity_result import Sensitivity
from nnefkit.analysis.side_by_side import compare
from nnefkit.analysis.tolerance import Tolerance
from nnefkit.analysis.validation import ValidationReport, validate

__all__ = [
    "Blame",
    "ComparedInputs",
    "ComparedTensor",
    "Comparison",
    "Cost",
    "Diff",
    "Metrics",
    "PrecisionCurve",
    "Profile",
    "QuantizationReport",
    "QuantizedGraph",
    "QuantizedTensor",
    "Sensitivity",
    "Tolerance",
    "ValidationReport",
    "blame",
    "compare",
    "compare_many",
    "cost",
    "diff",
    "precision_curve",
    "profile",
    "quantize",
    "sensitivity",
    "validate",
]


def __dir__() -> list[str]:
    return sorted(__all__)
