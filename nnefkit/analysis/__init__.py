"""Answers about graphs and runs: what is wrong with a model, where two runs part."""

from nnefkit.analysis.comparison import ComparedTensor, Comparison, compare
from nnefkit.analysis.metrics import Metrics
from nnefkit.analysis.tolerance import Tolerance
from nnefkit.analysis.validation import ValidationReport, validate

__all__ = [
    "ComparedTensor",
    "Comparison",
    "Metrics",
    "Tolerance",
    "ValidationReport",
    "compare",
    "validate",
]
